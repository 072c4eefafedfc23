import { z } from 'zod';

/** At most `limit` in any `windowSeconds` seconds. */
export interface SendLimit {
  readonly limit: number;
  readonly windowSeconds: number;
}

/** The kind of a rendered field, which determines how it is escaped (docs/templates.md). */
export type FieldKind = 'html' | 'text' | 'line' | 'url' | 'json';

/** The fields of a recipient that have addresses. */
export interface Addressable {
  email: string | null;
  phone: string | null;
  devices: readonly { token: string }[];
}

/** The limits of rendered messages that a tenant can set. */
export interface MessageLimits {
  smsMaxSegments?: number | undefined;
}

export type AddressSource = 'email' | 'phone' | 'devices';

export interface Channel<Id extends string = string> {
  readonly id: Id;
  /** The schema of a template's content: each text field is a Handlebars source. */
  readonly content: z.ZodObject;
  /** The kind of each field of the content. */
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** The text field that is generated from the rendered HTML field if the content has none. */
  readonly textFrom?: { readonly text: string; readonly html: string };
  /** The maximum size of the source of one content field, in bytes of UTF-8. */
  readonly maxSourceBytes: number;
  /** The field of the profile that has the address; null if a delivery needs none. */
  readonly addressFrom: AddressSource | null;
  /** The recipient's own addresses on this channel. Only push has several. */
  readonly addressesOf: (recipient: Addressable) => readonly string[];
  /** Why an address that was given with a send is not valid, without the address; null if it is valid. */
  readonly addressFault: (address: string) => string | null;
  /** Whether a message is sent again if it is not known whether the provider has it (docs/delivery-states.md). */
  readonly unknownOutcome: 'resend' | 'hold';
  /** The default limit for one recipient, or null for none. */
  readonly recipientLimit: SendLimit | null;
  /**
   * Why a rendered message is too large for the channel, or null; checked by {@link messageFaultOf} after the fields.
   */
  readonly messageFault?: (message: Readonly<Record<string, unknown>>, limits: MessageLimits) => string | null;
  /** `inbox`: writing the row in the inbox is the send; no provider is called. */
  readonly sends: 'provider' | 'inbox';
}

/** The maximum length of rendered headers and addresses, in characters. Source for lines: RFC 5322, section 2.1.1. */
const MAX_RENDERED: Partial<Record<FieldKind, number>> = { line: 998, url: 2_048 };

/** Why a rendered message is too large to be sent, with the field and its length; null if it is not. */
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

/** Defines a channel. Each channel has one file and one line in `registry.ts`. */
export function defineChannel<const Id extends string>(channel: Channel<Id>): Channel<Id> {
  return channel;
}

/** The source of a template field: a text that is not empty. */
export const source = z.string().min(1);
/** The source of a field that is rendered as one line, such as a subject. */
export const lineSource = z.string().min(1).max(4_096);

export const noAddress = (): readonly string[] => [];

export const anyAddress = (address: string): string | null =>
  address.length > 0 && address.length <= 4_096 && !/\p{Cc}/u.test(address)
    ? null
    : 'must be 1 to 4096 characters without control characters';

/** The first message of the schema of an address. */
export const faultBy =
  (schema: z.ZodType) =>
  (address: string): string | null =>
    schema.safeParse(address).error?.issues[0]?.message ?? null;
