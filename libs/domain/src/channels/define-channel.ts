import { z } from 'zod';

/** At most `limit` in any `windowSeconds` seconds. */
export interface SendLimit {
  readonly limit: number;
  readonly windowSeconds: number;
}

/** How a rendered field is made safe (security.md, templates, rule 6). */
export type FieldKind = 'html' | 'text' | 'line' | 'url' | 'json';

/** The parts of a recipient an address can come from. */
export interface Addressable {
  email: string | null;
  phone: string | null;
  devices: readonly { token: string }[];
}

/** What a tenant may set of it. */
export interface MessageLimits {
  smsMaxSegments?: number | undefined;
}

export type AddressSource = 'email' | 'phone' | 'devices';

export interface Channel<Id extends string = string> {
  readonly id: Id;
  /** The shape of a template's content: every text field is a Handlebars source. */
  readonly content: z.ZodObject;
  /** What each field of the content is, and so how it is escaped. */
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** The text field that is made from a rendered html field where a content has no text of its own. */
  readonly textFrom?: { readonly text: string; readonly html: string };
  /** Largest source of one content field, in bytes of UTF-8. */
  readonly maxSourceBytes: number;
  /** Which part of a profile the address is taken from; null where a delivery needs none. */
  readonly addressFrom: AddressSource | null;
  /** The recipient's own addresses on this channel; several only for push. */
  readonly addressesOf: (recipient: Addressable) => readonly string[];
  /** What is wrong with an address given with a send, or null. */
  readonly addressFault: (address: string) => string | null;
  /** What happens when a provider may or may not have taken a message (failures.md). */
  readonly unknownOutcome: 'resend' | 'hold';
  /** The default limit per recipient, or null for none. */
  readonly recipientLimit: SendLimit | null;
  /** What else makes a rendered message too large for the channel, whatever the provider, or null. See {@link messageFaultOf}. */
  readonly messageFault?: (message: Readonly<Record<string, unknown>>, limits: MessageLimits) => string | null;
  /** `inbox`: the row in the inbox is the send; no provider is asked. */
  readonly sends: 'provider' | 'inbox';
}

/** Characters of a rendered field that becomes a header or an address; RFC 5322, section 2.1.1 has the longest line. */
const MAX_RENDERED: Partial<Record<FieldKind, number>> = { line: 998, url: 2_048 };

/** Why a rendered message is too large to be sent, or null: names the field and its length. */
export function messageFaultOf(
  channel: Pick<Channel, 'fields' | 'messageFault'>,
  message: Readonly<Record<string, unknown>>,
  limits: MessageLimits,
): string | null {
  for (const [field, kind] of Object.entries(channel.fields)) {
    const value = message[field];
    const most = MAX_RENDERED[kind];
    if (most !== undefined && typeof value === 'string' && value.length > most)
      return `${field} has ${value.length} characters, at most ${most} are allowed`;
  }
  return channel.messageFault?.(message, limits) ?? null;
}

/** A channel is a value in one file plus one line in `registry.ts`. */
export function defineChannel<const Id extends string>(channel: Channel<Id>): Channel<Id> {
  return channel;
}

/** A template source: any text that is not empty. */
export const source = z.string().min(1);
/** A source that must come out as one line, such as a subject. */
export const lineSource = z.string().min(1).max(4_096);

export const noAddress = (): readonly string[] => [];

export const anyAddress = (address: string): string | null =>
  address.length > 0 && address.length <= 4_096 && !/\p{Cc}/u.test(address)
    ? null
    : `must be 1 to 4096 characters without control characters, got ${JSON.stringify(address.slice(0, 80))}`;
