import { z } from 'zod';
import { type ChannelId, isId, type ReceiptKind } from '#domain';
import type { EgressGuard } from './http/egress-guard.js';
import type { VendorHttp } from './http/vendor-http.js';

/** A rendered message for one address of one delivery. */
export interface ProviderMessage {
  tenantId: string;
  notificationId: string;
  deliveryId: string;
  recipientId: string;
  /** 1 for the first try. */
  attempt: number;
  channel: ChannelId;
  /** Null where the channel needs none (chat, webhook). */
  to: string | null;
  /** The channel's content, rendered. */
  content: Record<string, unknown>;
  /** Of an e-mail: where a click ends this category for this recipient (RFC 8058); null where nothing may end it. */
  unsubscribe?: { url: string; listId: string } | null;
  /** Of an event on its way to an endpoint: its id, the same when it is sent again. */
  eventId?: string | null;
  /** Seconds after which nobody wants it any more, where that is known. */
  ttlSeconds?: number | null;
}

export interface SendOptions {
  /** Aborts when the deadline is over. A provider that ignores it is cut off, and its outcome is unknown. */
  signal: AbortSignal;
  /** The same for every try of one attempt: `delivery:attempt`. */
  idempotencyKey: string;
}

export interface ProviderAcceptance {
  /** What the vendor calls the message; receipts name it. Null where the vendor gives none. */
  messageId: string | null;
  /** Only the sandbox knows at once what a vendor would report later. */
  receipt?: ReceiptKind;
}

export interface Connection {
  /** How many sends may be under way at once, where the vendor or the protocol sets a bound; more wait their turn. */
  readonly maxInFlight?: number;
  /** Makes exactly one request to the vendor. Throws ProviderError, and nothing else on purpose. */
  send(message: ProviderMessage, options: SendOptions): Promise<ProviderAcceptance>;
  /** Asks the vendor whether the credentials are good, without sending. Throws ProviderError. */
  verify(options: { signal: AbortSignal }): Promise<void>;
  close?(): Promise<void>;
}

/** What a provider may use of the house it runs in. */
export interface ProviderContext {
  http: VendorHttp;
  /** For protocols other than HTTP: connections that go only where requests may go. */
  guard: EgressGuard;
  /** Where this account's vendor can report to, or null where nobody told us our public address. */
  receiptsUrl: string | null;
  /** Keeps what a sandbox took. */
  deposit(message: ProviderMessage & { outcome: string }): Promise<void>;
}

export interface Provider<Id extends string = string, Credentials extends z.ZodObject = z.ZodObject> {
  readonly id: Id;
  readonly name: string;
  /** The channels it serves: mostly one. */
  readonly channels: readonly ChannelId[];
  /** Secret fields carry `.meta({ secret: true })`: sealed at rest, masked in every answer. */
  readonly credentials: Credentials;
  connect(credentials: z.infer<Credentials>, context: ProviderContext): Connection;
  /** Whether it can reach this address, where a channel has several kinds of them (push). */
  reaches?(address: string): boolean;
  /** Sends a second, where the vendor sets a pace for everybody. */
  readonly pacePerSecond?: number;
  /** What a vendor's call says. Throws {@link ReceiptRefused} where it is not surely the vendor's. */
  parseReceipts?(call: ReceiptCall, credentials: z.infer<Credentials>, http: VendorHttp): Promise<Receipt[]>;
}

/** A vendor's call to `/receipts/{provider}/{account}`. */
export interface ReceiptCall {
  /** As the vendor was told to call it. */
  url: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** The bytes as they came: signatures are over them. */
  body: string;
  signal: AbortSignal;
}

/** One thing that a vendor reports of one delivery. */
export interface Receipt {
  tenantId: string;
  deliveryId: string;
  kind: ReceiptKind;
  /** The vendor's words or code. */
  detail: string | null;
  /** Writes the address on the suppression list. */
  suppress?: 'bounced' | 'complained' | 'unsubscribed' | 'bad_address' | undefined;
}

/** The call is not the vendor's, or not for this account. Nothing of it is looked at. */
export class ReceiptRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReceiptRefused';
  }
}

/** What goes with a message to the vendor and comes back with its receipts. */
export function referenceOf({ tenantId, deliveryId }: Pick<ProviderMessage, 'tenantId' | 'deliveryId'>): string {
  return `${tenantId}.${deliveryId}`;
}

/** The other way; null for what is not ours. */
export function parseReference(text: unknown): Pick<Receipt, 'tenantId' | 'deliveryId'> | null {
  const [tenantId, deliveryId, ...rest] = typeof text === 'string' ? text.split('.') : [];
  if (rest.length > 0 || !isId(tenantId ?? '') || !isId(deliveryId ?? '')) return null;
  return { tenantId: tenantId!, deliveryId: deliveryId! };
}

/** What a vendor says, without of which delivery. */
export type ReceiptEvent = Omit<Receipt, 'tenantId' | 'deliveryId'>;

/** The receipt of a delivery that is ours and of a finding that means something; none otherwise. */
export function receiptsOf(reference: unknown, finding: ReceiptEvent | null): Receipt[] {
  const ours = parseReference(reference);
  return ours && finding ? [{ ...ours, ...finding }] : [];
}

/** A provider is a value in one file plus one line in `registry.ts`. */
export function defineProvider<const Id extends string, Credentials extends z.ZodObject>(
  provider: Provider<Id, Credentials>,
): Provider<Id, Credentials> {
  return provider;
}

/** A secret text in a credentials schema. */
export function secret(description: string): z.ZodString {
  return z.string().min(1).max(8_192).meta({ secret: true, description });
}

/** A URL that is a secret by itself, such as an incoming webhook. Where it may lead is checked when it is used. */
export function secretUrl(description: string): z.ZodString {
  return secret(description).regex(/^https?:\/\/[^\s/]/, 'must be an https URL');
}

/** Another address of the vendor's API, for tests and look-alikes. Refused in production. */
export const endpoint = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .transform((url) => (url.endsWith('/') ? url.slice(0, -1) : url))
  .optional()
  .meta({ description: 'Another address of the API, for tests. Refused in production' });

/** Credentials as they may be shown: secret texts keep their last four characters where they are long enough not to tell. */
export function maskCredentials(schema: z.ZodObject, credentials: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(credentials).map(([name, value]) => {
      const field = schema.shape[name] as z.ZodType | undefined;
      return [name, isSecret(field) ? mask(value) : value];
    }),
  );
}

function isSecret(field: z.ZodType | undefined): boolean {
  for (
    let inner = field;
    inner;
    inner = 'unwrap' in inner ? (inner as unknown as z.ZodOptional<z.ZodType>).unwrap() : undefined
  ) {
    if (inner.meta()?.secret === true) return true;
  }
  return false;
}

function mask(value: unknown): unknown {
  if (value === null || value === undefined) return value;
  const text = String(value);
  return text.length >= 16 ? `••••${text.slice(-4)}` : '••••';
}
