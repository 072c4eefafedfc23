import type { DueDeliveriesStore } from '#database';
import { type Attempt, afterFailure, DEFAULT_RETRY_SCHEDULE_SECONDS, Halt, type Outcome, ProviderError } from '#domain';
import type { Accepted, ProviderDirectory, ProviderMessage, Sender } from '#providers';
import { instruments } from '#telemetry';
import type { Addressed, Rendered } from './stages.js';

export interface SendTimes {
  /** The longest a provider may take, in milliseconds. */
  deadlineMs: number;
  /** What must be left of the lease when the provider has had its time, to record the outcome. */
  marginMs: number;
}

/**
 * Intent, then the provider, once. In-app needs neither: the row in the inbox is the send, and it is written by the
 * record.
 */
export class SendStep {
  constructor(
    private readonly due: DueDeliveriesStore,
    private readonly directory: ProviderDirectory,
    private readonly times: SendTimes,
  ) {}

  async run(rendered: Rendered): Promise<Outcome> {
    if (rendered.channel.sends === 'inbox') return intoInbox(rendered);
    const { delivery, context } = rendered;
    const sender = await this.directory.senderFor(delivery.tenantId, delivery.channel, context.notification.test);
    if (!sender)
      return {
        kind: 'failed',
        reason: 'no_provider',
        code: null,
        detail: `neither the tenant nor the platform has a provider account for ${delivery.channel}`,
      };
    return await this.throughProvider({ ...rendered, sender });
  }

  private async throughProvider(addressed: Addressed): Promise<Outcome> {
    const { delivery, sender } = addressed;
    const lastMoment = delivery.leaseEndsAt - this.times.marginMs;
    // Waiting for a connection must not eat the time to send: who waited too long has sent nothing and is only late.
    const patience = after(lastMoment - this.times.deadlineMs - performance.now());
    if (!(await sender.slots.enter(patience))) {
      return {
        kind: 'held',
        reason: 'provider_limit',
        delaySeconds: sender.slots.turnedAway(),
        detail: `all connections of the ${sender.provider} account were busy`,
        limitTaken: true,
      };
    }
    const enteredAt = performance.now();
    try {
      return await this.attempt(addressed, lastMoment);
    } finally {
      sender.slots.leave(performance.now() - enteredAt);
    }
  }

  private async attempt(addressed: Addressed, lastMoment: number): Promise<Outcome> {
    const { delivery, channel, context, sender } = addressed;
    if (performance.now() >= lastMoment)
      throw new Halt({ kind: 'not_mine', detail: 'too little was left of the lease to send' });
    // From here to the record is the one gap in which a crash leaves the outcome unknown.
    const number = await this.due.begin({ delivery, limitTaken: true });
    if (number === null) throw new Halt({ kind: 'not_mine', detail: 'the claim was lost or the delivery cancelled' });

    const startedAt = performance.now();
    const deadline = after(Math.min(this.times.deadlineMs, lastMoment - startedAt));
    const answer = await ask(addressed, number, deadline);
    const durationMs = Math.round(performance.now() - startedAt);
    const attempt: Attempt = {
      ...attemptOf(answer),
      number,
      provider: sender.provider,
      providerAccountId: sender.accountId,
      durationMs,
    };
    instruments().attempts.record(durationMs / 1_000, { provider: sender.provider, outcome: attempt.outcome });

    if (!(answer instanceof ProviderError)) {
      return {
        kind: 'sent',
        attempt,
        templateVersion: addressed.templateVersion,
        ...(answer.receipt && { receipt: answer.receipt }),
      };
    }
    if (answer.kind === 'unknown')
      instruments().unknown.add(1, { channel: delivery.channel, policy: channel.unknownOutcome });
    const schedule = context.tenant.settings.retry_schedule_seconds ?? DEFAULT_RETRY_SCHEDULE_SECONDS;
    return afterFailure(
      attempt,
      answer.retryAfterSeconds,
      { retries: delivery.retries, schedule, random: Math.random() },
      channel.unknownOutcome,
    );
  }
}

/** A signal that comes after so many milliseconds; AbortSignal takes whole ones only. */
function after(milliseconds: number): AbortSignal {
  return AbortSignal.timeout(Math.max(0, Math.ceil(milliseconds)));
}

/** Every address once, under one deadline. Sent when one accepted (several only for push). */
async function ask(addressed: Addressed, attempt: number, deadline: AbortSignal): Promise<Accepted | ProviderError> {
  const targets = addressed.addresses.length > 0 ? addressed.addresses : [null];
  const answers = await Promise.all(
    targets.map((to) => askOnce(addressed.sender, messageTo(addressed, attempt, to), deadline)),
  );
  return answers.find((answer): answer is Accepted => !(answer instanceof ProviderError)) ?? answers[0]!;
}

/** A provider that throws anything but ProviderError has a bug, and nobody knows how far it came. */
async function askOnce(
  sender: Sender,
  message: ProviderMessage,
  signal: AbortSignal,
): Promise<Accepted | ProviderError> {
  try {
    return await Promise.race([
      sender.connection.send(message, { signal, idempotencyKey: `${message.deliveryId}:${message.attempt}` }),
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

function messageTo({ delivery, context, message }: Addressed, attempt: number, to: string | null): ProviderMessage {
  const { tenantId, deliveryId, channel } = delivery;
  return {
    tenantId,
    notificationId: context.notification.id,
    deliveryId,
    recipientId: context.notification.recipientId,
    attempt,
    channel,
    to,
    content: message,
  };
}

function attemptOf(
  answer: Accepted | ProviderError,
): Pick<Attempt, 'outcome' | 'code' | 'detail' | 'providerMessageId'> {
  if (answer instanceof ProviderError)
    return { outcome: answer.kind, code: answer.code, detail: answer.message.slice(0, 1_000), providerMessageId: null };
  return { outcome: 'sent', code: null, detail: null, providerMessageId: answer.messageId };
}

function intoInbox({ context, message, templateVersion }: Rendered): Outcome {
  const content = message as { title: string; body: string; action_url?: string; data?: Record<string, string> };
  const { title, body, action_url: actionUrl = null, data = null } = content;
  return {
    kind: 'in_inbox',
    row: {
      recipientId: context.notification.recipientId,
      category: context.notification.category,
      title,
      body,
      actionUrl,
      data,
    },
    templateVersion,
  };
}
