import { z } from 'zod';
import { type ChannelId, isId, type ReceiptKind } from '#domain';
import type { EgressGuard } from './http/egress-guard.js';
import type { VendorHttp } from './http/vendor-http.js';
import type { SenderChoice } from './sender-choice.js';

/** The rendered message of one delivery, for one address. */
export interface ProviderMessage {
  tenantId: string;
  notificationId: string;
  deliveryId: string;
  recipientId: string;
  /** 1 for the first attempt. */
  attempt: number;
  channel: ChannelId;
  /** Null where the account determines the address (chat, webhook). */
  to: string | null;
  content: Record<string, unknown>;
  /** E-mail: unsubscribes the recipient from the category (RFC 8058); null if the category cannot be unsubscribed. */
  unsubscribe?: { url: string; listId: string } | null;
  /** Webhook endpoints: the id of the event, unchanged when the event is sent again. */
  eventId?: string | null;
  /** Webhook endpoints: W3C trace context, so that the tenant's receiver can continue the trace. */
  traceparent?: string | null;
  /** Seconds until the notification expires, if it does. */
  ttlSeconds?: number | null;
}

export interface SendOptions {
  /** Aborts at the deadline. If the provider ignores it, the send step stops waiting and the outcome is unknown. */
  signal: AbortSignal;
  /** `delivery:attempt`, unchanged when the same attempt is made again. */
  idempotencyKey: string;
}

export interface ProviderAcceptance {
  /** The vendor's id of the message; null if the vendor gives none. */
  messageId: string | null;
  /** Sandbox only: the receipt that a vendor would send later. */
  receipt?: ReceiptKind;
}

export interface Connection {
  /** Limit of sends in flight, if the vendor or the protocol has one. Further sends wait. */
  readonly maxInFlight?: number;
  /** Makes exactly one request to the vendor. Throws ProviderError; any other error is a bug. */
  send(message: ProviderMessage, options: SendOptions): Promise<ProviderAcceptance>;
  /** Checks the credentials with the vendor, without sending a message. Throws ProviderError. */
  verify(options: { signal: AbortSignal }): Promise<void>;
  close?(): Promise<void>;
}

/** The services that a provider may use. */
export interface ProviderContext {
  http: VendorHttp;
  /** Opens checked connections for protocols other than HTTP. */
  guard: EgressGuard;
  /** The URL for this account's receipts; null if `PUBLIC_URL` is not set or the provider has no receipts. */
  receiptsUrl: string | null;
  /** Stores a message in the sandbox's mailbox. */
  deposit(message: ProviderMessage & { outcome: string }): Promise<void>;
}

export interface Provider<Id extends string = string, Credentials extends z.ZodObject = z.ZodObject> {
  readonly id: Id;
  readonly name: string;
  readonly channels: readonly ChannelId[];
  /** Fields with `.meta({ secret: true })` are encrypted at rest and masked in every response of the API. */
  readonly credentials: Credentials;
  /**
   * The part of the account's identity at the vendor that a message may choose: its sender, or its chat channel.
   * `none`: the credentials fix both. Platform accounts restrict the choice (docs/providers/README.md).
   */
  readonly senderChoice: 'none' | SenderChoice<z.infer<Credentials>>;
  connect(credentials: z.infer<Credentials>, context: ProviderContext): Connection;
  /** Whether the provider can send to this address. For channels with several kinds of addresses (push). */
  reaches?(address: string): boolean;
  /** Sends a second, if the vendor limits all its customers to the same rate. An account can set its own. */
  readonly pacePerSecond?: number;
  /** Parses a vendor's call. Throws {@link ReceiptRefused} unless the call proves that it comes from the vendor. */
  parseReceipts?(call: ReceiptCall, credentials: z.infer<Credentials>, http: VendorHttp): Promise<Receipt[]>;
}

/** A vendor's call to `/receipts/{provider}/{account}`. */
export interface ReceiptCall {
  /** The URL as it was given to the vendor. */
  url: string;
  /** Names are in lower case. */
  headers: Readonly<Record<string, string>>;
  /** The body as received, because signatures cover the bytes. */
  body: string;
  signal: AbortSignal;
  /**
   * For a vendor whose signature does not cover the body: binds the signed token to what the call reports, until the
   * time. Throws {@link ReceiptRefused} if any account has received the token with another report. The token must
   * depend on the signing key: several accounts may have the same key, and tokens of different keys may be equal.
   */
  bindToken(token: string, report: unknown, until: Date): Promise<void>;
}

/** One event that a vendor reports for a delivery. */
export interface Receipt {
  tenantId: string;
  deliveryId: string;
  kind: ReceiptKind;
  /** The vendor's message or code. */
  detail: string | null;
  /** Puts the address on the suppression list with this reason. */
  suppress?: 'bounced' | 'complained' | 'unsubscribed' | 'bad_address' | undefined;
}

/** The call does not come from the vendor, or is not for this account. */
export class ReceiptRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ReceiptRefused';
  }
}

/** The reference that is sent with a message and that the vendor returns in its receipts. */
export function referenceOf({ tenantId, deliveryId }: Pick<ProviderMessage, 'tenantId' | 'deliveryId'>): string {
  return `${tenantId}.${deliveryId}`;
}

/** Parses {@link referenceOf}; null for any other text. */
export function parseReference(text: unknown): Pick<Receipt, 'tenantId' | 'deliveryId'> | null {
  const [tenantId, deliveryId, ...rest] = typeof text === 'string' ? text.split('.') : [];
  if (rest.length > 0 || !isId(tenantId ?? '') || !isId(deliveryId ?? '')) return null;
  return { tenantId: tenantId!, deliveryId: deliveryId! };
}

/** A vendor's event without its delivery. */
export type ReceiptEvent = Omit<Receipt, 'tenantId' | 'deliveryId'>;

/** Joins a reference and its event; empty if the reference is not one of ours or the event is of no interest. */
export function receiptsOf(reference: unknown, event: ReceiptEvent | null): Receipt[] {
  const delivery = parseReference(reference);
  return delivery && event ? [{ ...delivery, ...event }] : [];
}

/** A provider is a value in one file plus one line in `registry.ts`. */
export function defineProvider<const Id extends string, Credentials extends z.ZodObject>(
  provider: Provider<Id, Credentials>,
): Provider<Id, Credentials> {
  return provider;
}

/** A secret field in a credentials schema. */
export function secret(description: string): z.ZodString {
  return z.string().min(1).max(8_192).meta({ secret: true, description });
}

/** A URL that is itself a secret, such as an incoming webhook. The egress guard checks its address at each request. */
export function secretUrl(description: string): z.ZodString {
  return secret(description).regex(/^https?:\/\/[^\s/]/, 'must be an https URL');
}

/** Overrides the address of the vendor's API, for tests and compatible services. Refused in production. */
export const endpoint = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .transform((url) => (url.endsWith('/') ? url.slice(0, -1) : url))
  .optional()
  .meta({ description: 'Another address of the API, for tests. Refused in production' });

/** Masks the secret fields. Those of at least 16 characters keep their last four. */
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
