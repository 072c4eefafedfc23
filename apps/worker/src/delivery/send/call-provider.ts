// One attempt at a provider: sends to each address once, under one deadline, and reduces the answers to one result.

import { type AddressFeedback, type Attempt, comparableAddress, ProviderError } from '#domain';
import type { ProviderAcceptance, ProviderMessage } from '#providers';
import { onwardTraceparent, traceOf } from '#telemetry';
import type { Addressed } from '../pipeline-context.js';

/** Accepted or refused, and the feedback on the addresses. */
export type ProviderResult = { addressFeedback: AddressFeedback } & (
  | { accepted: ProviderAcceptance; refused?: undefined }
  | { accepted?: undefined; refused: ProviderError }
);

interface AddressResult {
  to: string | null;
  answer: ProviderAcceptance | ProviderError;
}

/** The most retryable refusal decides: while one device may still accept the message, the delivery is tried again. */
const RETRYABILITY_ORDER = ['unknown', 'transient', 'throttled', 'misconfigured', 'rejected', 'bad_address'] as const;

/** A provider that ignores its signal is cut off this long after the deadline, so that it never keeps its slot. */
const GRACE_MS = 250;

/** Accepted when one address accepted. Only push has several addresses. */
export async function callProvider(
  addressed: Addressed,
  attempt: number,
  deadline: AbortSignal,
): Promise<ProviderResult> {
  const targets = addressed.addresses.length > 0 ? addressed.addresses : [null];
  const results = await Promise.all(
    targets.map(async (to, index): Promise<AddressResult> => {
      const message = messageTo(addressed, attempt, to);
      return { to, answer: await traced(addressed, message, keyOf(message, index), deadline) };
    }),
  );
  const addressFeedback = addressFeedbackOf(addressed, results);
  const accepted = results
    .map(({ answer }) => answer)
    .find((answer): answer is ProviderAcceptance => !(answer instanceof ProviderError));
  if (accepted) return { accepted, addressFeedback };
  const refusals = results.map(({ answer }) => answer as ProviderError);
  const refused =
    RETRYABILITY_ORDER.map((kind) => refusals.find((error) => error.kind === kind)).find((error) => error) ??
    refusals[0]!;
  return { refused, addressFeedback };
}

/** The fields of the attempt that follow from the result. */
export function attemptOf({
  accepted,
  refused,
}: ProviderResult): Pick<Attempt, 'outcome' | 'code' | 'detail' | 'providerMessageId'> {
  if (accepted) return { outcome: 'sent', code: null, detail: null, providerMessageId: accepted.messageId };
  return { outcome: refused.kind, code: refused.code, detail: refused.message, providerMessageId: null };
}

/** Addresses that the provider refused for good: devices are removed, e-mail addresses and numbers are suppressed. */
function addressFeedbackOf({ delivery, sender }: Addressed, results: readonly AddressResult[]): AddressFeedback {
  // The sandbox simulates refusals; they say nothing about a real address.
  if (sender.provider === 'sandbox') return {};
  const bad = results.flatMap(({ to, answer }) =>
    to !== null && answer instanceof ProviderError && answer.kind === 'bad_address'
      ? [{ to, optedOut: answer.optedOut }]
      : [],
  );
  const [first] = bad;
  if (!first) return {};
  if (delivery.channel === 'push') return { goneDevices: bad.map(({ to }) => to) };
  if (delivery.channel !== 'email' && delivery.channel !== 'sms') return {};
  const address = comparableAddress(delivery.channel, first.to);
  return { suppress: { address, reason: first.optedOut ? 'unsubscribed' : 'bad_address' } };
}

async function traced(
  addressed: Addressed,
  message: ProviderMessage,
  idempotencyKey: string,
  signal: AbortSignal,
): Promise<ProviderAcceptance | ProviderError> {
  const trace = traceOf(addressed.delivery);
  const startedAt = performance.now();
  const answer = await sendOnce(addressed, message, idempotencyKey, signal);
  if (!trace) return answer;
  const { provider, account } = addressed.sender;
  const refused = answer instanceof ProviderError ? answer : undefined;
  const attributes = {
    'carillon.provider': provider,
    'carillon.provider_account_id': account?.id,
    'carillon.attempt': message.attempt,
    'carillon.outcome': refused?.kind ?? 'sent',
    'carillon.code': refused?.code,
  };
  const error = refused && (refused.code ?? refused.kind);
  trace.note('provider', startedAt, { kind: 'client', parentName: 'send', attributes, ...(error && { error }) });
  return answer;
}

async function sendOnce(
  { sender }: Addressed,
  message: ProviderMessage,
  idempotencyKey: string,
  signal: AbortSignal,
): Promise<ProviderAcceptance | ProviderError> {
  try {
    return await Promise.race([
      sender.connection.send(message, { signal, idempotencyKey }),
      rejectAfterDeadline(signal),
    ]);
  } catch (error) {
    if (error instanceof ProviderError) return withoutAddress(error, message);
    // Any other error is a bug of the provider: the message may or may not have been sent.
    return new ProviderError(
      'unknown',
      `provider ${sender.provider} failed unexpectedly: ${(error as Error).message}`,
      { code: 'provider_bug', cause: error },
    );
  }
}

/**
 * Replaces the address in the vendor's text, which timelines, dead letters and the suppression list keep. Webhook URLs
 * and chat channels stay: they are not personal data, and the tenant needs them.
 */
function withoutAddress(error: ProviderError, { channel, to }: ProviderMessage): ProviderError {
  if (to === null || channel === 'webhook' || channel === 'chat') return error;
  const { kind, code, retryAfterSeconds, optedOut, cause } = error;
  const message = error.message.replaceAll(new RegExp(to.replaceAll(/[^\w\s]/g, '\\$&'), 'gi'), '<address>');
  if (message === error.message) return error;
  return new ProviderError(kind, message, { code, retryAfterSeconds, optedOut, cause });
}

/** The same key for the same attempt, and another one for each further device. */
function keyOf({ deliveryId, attempt }: ProviderMessage, index: number): string {
  return index > 0 ? `${deliveryId}:${attempt}:${index}` : `${deliveryId}:${attempt}`;
}

function rejectAfterDeadline(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void =>
      reject(new ProviderError('unknown', 'The provider did not answer before the deadline', { code: 'deadline' }));
    signal.addEventListener('abort', () => setTimeout(fail, GRACE_MS).unref(), { once: true });
  });
}

function messageTo(
  { delivery, context, message, unsubscribe }: Addressed,
  attempt: number,
  to: string | null,
): ProviderMessage {
  const { tenantId, deliveryId, channel } = delivery;
  const { id, recipientId, expiresAt, metadata, endpointId } = context.notification;
  return {
    tenantId,
    notificationId: id,
    deliveryId,
    recipientId,
    attempt,
    channel,
    to,
    content: message,
    unsubscribe,
    eventId: endpointId && (metadata?.['event_id'] ?? null),
    traceparent: endpointId && onwardTraceparent(delivery),
    ttlSeconds: expiresAt && Math.max(0, (expiresAt.getTime() - Date.now()) / 1_000),
  };
}
