// One attempt at a provider: every address once, under one deadline, and what the answers together mean.

import { type AddressFeedback, type Attempt, comparableAddress, ProviderError } from '#domain';
import type { ProviderAcceptance, ProviderMessage } from '#providers';
import type { Addressed } from './pipeline-context.js';

/** Either accepted or refused, and what it taught of the addresses. */
export type ProviderResult = { addressFeedback: AddressFeedback } & (
  | { accepted: ProviderAcceptance; refused?: undefined }
  | { accepted?: undefined; refused: ProviderError }
);

interface AddressResult {
  to: string | null;
  given: ProviderAcceptance | ProviderError;
}

/**
 * Sent when one address accepted (several only for push). Otherwise the refusal that leaves most hope decides: while one device
 * might still take it, the delivery is tried again.
 */
export async function callProvider(
  addressed: Addressed,
  attempt: number,
  deadline: AbortSignal,
): Promise<ProviderResult> {
  const targets = addressed.addresses.length > 0 ? addressed.addresses : [null];
  const answers = await Promise.all(
    targets.map(async (to): Promise<AddressResult> => ({ to, given: await askOnce(addressed, attempt, to, deadline) })),
  );
  const addressFeedback = addressFeedbackOf(addressed, answers);
  const accepted = answers
    .map(({ given }) => given)
    .find((given): given is ProviderAcceptance => !(given instanceof ProviderError));
  if (accepted) return { accepted, addressFeedback };
  const refusals = answers.map(({ given }) => given as ProviderError);
  const refused =
    RETRYABILITY_ORDER.map((kind) => refusals.find((error) => error.kind === kind)).find((error) => error) ??
    refusals[0]!;
  return { refused, addressFeedback };
}

const RETRYABILITY_ORDER = ['unknown', 'transient', 'throttled', 'misconfigured', 'rejected', 'bad_address'] as const;

export function attemptOf({
  accepted,
  refused,
}: ProviderResult): Pick<Attempt, 'outcome' | 'code' | 'detail' | 'providerMessageId'> {
  if (accepted) return { outcome: 'sent', code: null, detail: null, providerMessageId: accepted.messageId };
  return {
    outcome: refused.kind,
    code: refused.code,
    detail: refused.message,
    providerMessageId: null,
  };
}

/** An address that is refused for good: a device is removed, a mail address or number is not written to again. */
function addressFeedbackOf({ delivery, sender }: Addressed, answers: readonly AddressResult[]): AddressFeedback {
  // What the sandbox pretends says nothing of the world, and can be had again.
  if (sender.provider === 'sandbox') return {};
  const bad = answers.flatMap(({ to, given }) =>
    to !== null && given instanceof ProviderError && given.kind === 'bad_address'
      ? [{ to, optedOut: given.optedOut }]
      : [],
  );
  const [first] = bad;
  if (!first) return {};
  if (delivery.channel === 'push') return { goneDevices: bad.map(({ to }) => to) };
  if (delivery.channel !== 'email' && delivery.channel !== 'sms') return {};
  const address = comparableAddress(delivery.channel, first.to);
  return { suppress: { address, reason: first.optedOut ? 'unsubscribed' : 'bad_address' } };
}

/** A provider that throws anything but ProviderError has a bug, and nobody knows how far it came. */
async function askOnce(
  addressed: Addressed,
  attempt: number,
  to: string | null,
  signal: AbortSignal,
): Promise<ProviderAcceptance | ProviderError> {
  const { sender } = addressed;
  const message = messageTo(addressed, attempt, to);
  try {
    return await Promise.race([
      sender.connection.send(message, { signal, idempotencyKey: keyOf(message, addressed.addresses, to) }),
      cutOff(signal),
    ]);
  } catch (error) {
    if (error instanceof ProviderError) return error;
    return new ProviderError(
      'unknown',
      `provider ${sender.provider} failed unexpectedly: ${(error as Error).message}`,
      { code: 'provider_bug', cause: error },
    );
  }
}

/** The same for the same attempt, and another for each of several devices. */
function keyOf({ deliveryId, attempt }: ProviderMessage, addresses: readonly string[], to: string | null): string {
  const at = to === null ? 0 : addresses.indexOf(to);
  return at > 0 ? `${deliveryId}:${attempt}:${at}` : `${deliveryId}:${attempt}`;
}

const GRACE_MS = 250;

/** For a provider that ignores its signal: a slot is never held beyond the deadline. */
function cutOff(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener(
      'abort',
      () =>
        setTimeout(
          () =>
            reject(
              new ProviderError('unknown', 'The provider did not answer before the deadline', { code: 'deadline' }),
            ),
          GRACE_MS,
        ).unref(),
      { once: true },
    );
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
    ttlSeconds: expiresAt && Math.max(0, (expiresAt.getTime() - Date.now()) / 1_000),
  };
}
