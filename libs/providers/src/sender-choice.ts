// The part of an account's identity at its vendor that a message may choose, and which choices an account of the
// platform allows. A tenant's own accounts allow all.

export interface SenderChoice<Credentials = Record<string, unknown>> {
  /** The list of a platform account that has the allowed choices. */
  readonly list: 'allowed_from' | 'allowed_channels';
  /** The sender or the chat channel that the message chooses; null if it leaves the choice to the account. */
  chosen(message: ChoosingMessage, account: Credentials): string | null;
  /** The sender or the chat channel of the account; null if it has none. */
  own(account: Credentials): string | null;
}

/** The parts of a rendered message that may choose. */
export interface ChoosingMessage {
  /** The address; null where the account determines it. */
  to: string | null;
  content: Record<string, unknown>;
}

/** The lists of an account of the platform. An absent list allows only the account's own sender or chat channel. */
export interface AllowedChoices {
  from?: readonly string[];
  channels?: readonly string[];
}

/** An entry that allows every choice. */
const ANY = '*';
const ADDRESS = /^[^\s<>@",;:()[\]\\]+@[^\s<>@",;:()[\]\\]+$/;
const NAME = /^(?:[^<>@",;:()[\]\\\p{Cc}]*|"[^"<>@\\\p{Cc}]*")$/u;

/**
 * Why the account does not allow the choice of the message, or null if it does. Without the value: a chat channel is
 * the address of the recipient, and a template may take the sender from the payload.
 */
export function choiceFault(
  choice: SenderChoice,
  { credentials, allowed = {} }: { credentials: Record<string, unknown>; allowed?: AllowedChoices },
  message: ChoosingMessage,
): string | null {
  const chosen = choice.chosen(message, credentials);
  const own = choice.own(credentials);
  if (chosen === null || chosen === own) return null;
  if (choice.list === 'allowed_channels') {
    const isAllowed = [own, ...(allowed.channels ?? [])].some((one) => one === ANY || sameChannel(one, chosen));
    return isAllowed ? null : 'its allowed_channels does not contain the recipient_address';
  }
  const isAllowed = isOwnSender(own, chosen) || allowed.from?.some((entry) => allowsSender(entry, chosen)) === true;
  return isAllowed ? null : 'its allowed_from does not contain the sender of the message';
}

/** Whether a text is a valid entry of the list. */
export function isChoiceEntry(list: SenderChoice['list'], entry: string): boolean {
  if (entry === ANY) return true;
  if (list === 'allowed_channels') return /^[^\p{Cc}\s]+$/u.test(entry);
  return entry.startsWith('@') ? ADDRESS.test(`any${entry}`) : ADDRESS.test(entry);
}

function sameChannel(one: string | null, other: string): boolean {
  return one !== null && one.replace(/^#/, '') === other.replace(/^#/, '');
}

/** The same address with the same name: a name such as "Security" is a choice too. */
function isOwnSender(own: string | null, chosen: string): boolean {
  const [expected, given] = [own === null ? null : senderOf(own), senderOf(chosen)];
  return expected !== null && given !== null && expected.address === given.address && expected.name === given.name;
}

function allowsSender(entry: string, chosen: string): boolean {
  if (entry === ANY) return true;
  const address = senderOf(chosen)?.address;
  const allowed = entry.toLowerCase();
  return address !== undefined && (allowed.startsWith('@') ? address.endsWith(allowed) : address === allowed);
}

/**
 * Reads `Name <address>` or `address`; null for any other form. Stricter than the parsers of vendors, so that none of
 * them finds another address in the text than this one.
 */
function senderOf(text: string): { name: string; address: string } | null {
  const trimmed = text.trim();
  const at = trimmed.endsWith('>') ? trimmed.lastIndexOf('<') : 0;
  const name = trimmed.slice(0, at).trim();
  const address = at > 0 || trimmed.startsWith('<') ? trimmed.slice(at + 1, -1) : trimmed;
  if (!ADDRESS.test(address) || !NAME.test(name)) return null;
  return { name: name.replace(/^"(.*)"$/, '$1'), address: address.toLowerCase() };
}
