import { z } from 'zod';
import type { ChannelId, ReceiptKind } from '#domain';

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
}

export interface SendOptions {
  /** Aborts when the deadline is over. A provider that ignores it is cut off, and its outcome is unknown. */
  signal: AbortSignal;
  /** The same for every try of one attempt: `delivery:attempt`. */
  idempotencyKey: string;
}

export interface Accepted {
  /** What the vendor calls the message; receipts name it. Null where the vendor gives none. */
  messageId: string | null;
  /** Only the sandbox knows at once what a vendor would report later. */
  receipt?: ReceiptKind;
}

export interface Connection {
  /** How many sends may be under way at once, where the vendor or the protocol sets a bound; more wait their turn. */
  readonly maxInFlight?: number;
  /** Makes exactly one request to the vendor. Throws ProviderError, and nothing else on purpose. */
  send(message: ProviderMessage, options: SendOptions): Promise<Accepted>;
  /** Asks the vendor whether the credentials are good, without sending. Throws ProviderError. */
  verify(options: { signal: AbortSignal }): Promise<void>;
  close?(): Promise<void>;
}

/** What a provider may use of the house it runs in. */
export interface Surroundings {
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
  connect(credentials: z.infer<Credentials>, surroundings: Surroundings): Connection;
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
