import type { AccountPacesStore, DueDeliveriesStore, WebhookEndpointsStore } from '#database';
import {
  type Attempt,
  afterFailure,
  DEFAULT_RETRY_SCHEDULE_SECONDS,
  type Outcome,
  type ProviderError,
  type ProviderErrorKind,
  StopPipeline,
  WEBHOOK_RETRY_SCHEDULE_SECONDS,
} from '#domain';
import { BreakerOpen, type ProviderDirectory, type Sender, secondsUntilAvailable } from '#providers';
import { instruments } from '#telemetry';
import { attemptOf, callProvider, type ProviderResult } from './call-provider.js';
import { NotSent } from './give-claim-back.js';
import type { Addressed, Rendered } from './pipeline-context.js';

export interface SendTimes {
  /** The longest a provider may take, in milliseconds. */
  deadlineMs: number;
  /** What must be left of the lease when the provider has had its time, to record the outcome. */
  marginMs: number;
}

/** The account refused before it took anything, and another one might not. */
const FAILS_OVER: ReadonlySet<ProviderErrorKind | 'sent'> = new Set(['transient', 'throttled', 'misconfigured']);
/** A turn in an account's pace that is nearer than this is not worth a hold. */
const AT_ONCE_SECONDS = 0.02;
/** Events that found their endpoint down return spread over as long as it has been, and over this at most. */
const LONGEST_RETURN_SECONDS = 300;

/**
 * Picks an account, then intent, then the provider, once. In-app needs none of it: the row in the inbox is the send, and it is
 * written by the record.
 */
export class SendStep {
  constructor(
    private readonly due: DueDeliveriesStore,
    private readonly paces: AccountPacesStore,
    private readonly endpoints: WebhookEndpointsStore,
    private readonly directory: ProviderDirectory,
    private readonly times: SendTimes,
    /** Aborted when the worker stops: what has not begun by then does not begin. */
    private readonly stopping: AbortSignal,
  ) {}

  async run(rendered: Rendered): Promise<Outcome> {
    if (rendered.channel.sends === 'inbox') return intoInbox(rendered);
    const { tenantId, channel } = rendered.delivery;
    const { endpointId, test } = rendered.context.notification;
    return await this.directory.withSenders({ tenantId, channel, test, endpointId }, (senders) =>
      this.choose(senders, rendered),
    );
  }

  private async choose(senders: readonly Sender[], rendered: Rendered): Promise<Outcome> {
    const { delivery, context } = rendered;
    if (senders.length === 0 && context.notification.endpointId)
      return failed('no_provider', 'the endpoint is gone or switched off');
    if (senders.length === 0)
      return failed(
        'no_provider',
        `neither the tenant nor the platform has a provider account for ${delivery.channel}`,
      );
    const reaching = senders.filter(
      (sender) => addressesFor(sender, rendered).length > 0 || rendered.addresses.length === 0,
    );
    if (reaching.length === 0) return failed('no_address', 'none of the accounts reaches an address of this kind');
    // Those that have refused it already come last: by then it is a new round.
    const fresh = reaching.filter(({ account }) => !account || !delivery.triedAccountIds.includes(account.id));
    const round = fresh.length > 0 ? fresh : reaching;
    const ready = round.filter((one) => secondsUntilAvailable(one) === 0);
    const [first, ...others] = [...ready.filter((one) => !isStalled(one)), ...ready.filter(isStalled)];
    return first ? await this.through(first, others, rendered) : this.allDown(round, rendered);
  }

  /** Sends through this account; through the next of the others where this one turns out to hang before anything has begun. */
  private async through(sender: Sender, others: readonly Sender[], rendered: Rendered): Promise<Outcome> {
    const wait = await this.turnAt(sender, rendered);
    if (wait > AT_ONCE_SECONDS) {
      const detail = `the ${sender.provider} account sends ${sender.pacePerSecond} a second`;
      return {
        kind: 'held',
        reason: 'provider_limit',
        delaySeconds: wait,
        detail,
        rateLimitConsumed: true,
        paceReserved: true,
      };
    }
    const addressed = { ...rendered, addresses: addressesFor(sender, rendered), sender };
    const [next, ...rest] = others;
    const entry = await this.enter(addressed, next !== undefined);
    if (entry === 'full') return this.full(addressed);
    const outcome = entry === 'entered' ? await this.inSlot(addressed, next !== undefined) : 'not_begun';
    if (outcome !== 'not_begun') return outcome;
    return next ? await this.through(next, rest, rendered) : this.allDown([sender], rendered);
  }

  /** Seconds until this send's turn in the pace of its account. */
  private async turnAt(sender: Sender, { delivery }: Rendered): Promise<number> {
    if (!sender.account || sender.pacePerSecond === null || delivery.paceReserved) return 0;
    const { tenantId, id } = sender.account;
    return await this.paces.reserve({ tenantId, accountId: id, perSecond: sender.pacePerSecond });
  }

  /** An endpoint that is gone, or has failed for days, is switched off by what comes back. Returns whether it is off now. */
  private async noteEndpoint(sender: Sender, { refused }: ProviderResult): Promise<boolean> {
    const { tenantId, id } = sender.account!;
    try {
      if (!refused) {
        if (sender.lastSendFailed) await this.endpoints.succeeded(tenantId, id);
        sender.lastSendFailed = false;
        return false;
      }
      sender.lastSendFailed = true;
      const off = await this.endpoints.failed(tenantId, id, refused.code === '410');
      if (off) this.directory.invalidate(tenantId);
      return off;
    } catch {
      // Nothing may come between the answer and its record. The next try notes it.
      sender.lastSendFailed = true;
      return false;
    }
  }

  /**
   * Waits for a slot while there is still time to send. Returns `elsewhere` when the account hangs, or the time is up, and another
   * account is left. Waiting is safe: the intent is not committed yet.
   */
  private async enter({ delivery, sender }: Addressed, othersLeft: boolean): Promise<'entered' | 'full' | 'elsewhere'> {
    const { hangs } = sender.breaker;
    let late: AbortSignal | undefined;
    const entered = await sender.limiter.acquire(() => {
      late = after(delivery.leaseEndsAt - this.times.marginMs - this.times.deadlineMs - performance.now());
      return AbortSignal.any([late, this.stopping, ...(othersLeft ? [hangs.stalled] : [])]);
    });
    if (entered) return 'entered';
    this.mayBegin();
    return othersLeft && (hangs.isStalled || late?.aborted) ? 'elsewhere' : 'full';
  }

  /** Holds the delivery: the queue for slots is full or the wait was too long. Nothing was sent. */
  private full(addressed: Addressed): Outcome {
    const { sender } = addressed;
    const detail = `all connections of the ${sender.provider} account were busy`;
    const delaySeconds = sender.limiter.retryDelaySeconds();
    this.noteLack(addressed);
    return {
      kind: 'held',
      reason: 'provider_limit',
      delaySeconds,
      detail,
      rateLimitConsumed: true,
      paceReserved: true,
    };
  }

  /** `not_begun`: the breaker has opened meanwhile, or its probe is under way. */
  private async inSlot(addressed: Addressed, othersLeft: boolean): Promise<Outcome | 'not_begun'> {
    const { delivery, sender } = addressed;
    const enteredAt = performance.now();
    try {
      const outcome = await this.attempt(addressed, delivery.leaseEndsAt - this.times.marginMs, othersLeft);
      if (secondsUntilAvailable(sender) > 0) this.noteLack(addressed);
      return outcome;
    } catch (error) {
      if (error instanceof BreakerOpen) return 'not_begun';
      throw error;
    } finally {
      sender.limiter.release(performance.now() - enteredAt);
    }
  }

  /**
   * None of the accounts may be asked now: the delivery comes back when one may, and burns nothing. What stands behind it is left in
   * the queue, but for an endpoint, whose backlog comes back the more slowly the longer it has been down.
   */
  private allDown(senders: readonly Sender[], rendered: Rendered): Outcome {
    this.noteLack(rendered);
    const [next] = senders.toSorted((left, right) => secondsUntilAvailable(left) - secondsUntilAvailable(right)) as [
      Sender,
    ];
    const wait = secondsUntilAvailable(next);
    const spread = rendered.context.notification.endpointId
      ? Math.min(LONGEST_RETURN_SECONDS, next.breaker.downSeconds)
      : 0;
    const down = next.breaker.state !== 'closed';
    const names = senders.map(({ provider }) => provider).join(', ');
    return {
      kind: 'held',
      reason: down ? 'provider_down' : 'provider_limit',
      delaySeconds: Math.max(next.limiter.retryDelaySeconds(wait), wait + Math.random() * spread),
      detail: down ? `the breaker is open (${names})` : `the provider asked for a pause (${names})`,
      rateLimitConsumed: true,
    };
  }

  /** What is due behind it is worth no more than its accounts can take. An endpoint says nothing of the tenant's other endpoints. */
  private noteLack({ delivery, context }: Rendered): void {
    if (!context.notification.endpointId) this.directory.tenantCapacity.track(delivery.tenantId, delivery.channel);
  }

  private mayBegin(): void {
    if (this.stopping.aborted) throw new NotSent('the worker stops');
  }

  private async attempt(addressed: Addressed, lastMoment: number, othersLeft: boolean): Promise<Outcome> {
    const { delivery, sender } = addressed;
    let number = 0;
    let startedAt = 0;
    const reply = await throughBreaker(sender, async () => {
      if (performance.now() >= lastMoment)
        throw new StopPipeline({ kind: 'claim_lost', detail: 'too little was left of the lease to send' });
      // From here to the record is the one gap in which a crash leaves the outcome unknown.
      this.mayBegin();
      const begun = await this.due.begin({ delivery, rateLimitConsumed: true }).catch((cause: unknown) => {
        throw new NotSent('the intent could not be committed', { cause });
      });
      if (begun === null)
        throw new StopPipeline({ kind: 'claim_lost', detail: 'the claim was lost or the delivery cancelled' });
      number = begun;
      startedAt = performance.now();
      return await callProvider(addressed, begun, after(Math.min(this.times.deadlineMs, lastMoment - startedAt)));
    });
    const durationMs = Math.round(performance.now() - startedAt);
    const attempt: Attempt = {
      ...attemptOf(reply),
      number,
      provider: sender.provider,
      providerAccountId: sender.account?.id ?? null,
      durationMs,
    };
    instruments().attempts.record(durationMs / 1_000, { provider: sender.provider, outcome: attempt.outcome });
    if (addressed.context.notification.endpointId && (await this.noteEndpoint(sender, reply)))
      return { kind: 'failed', reason: 'misconfigured', code: attempt.code, detail: attempt.detail, attempt };
    return conclude(addressed, attempt, reply, othersLeft);
  }
}

/** What follows from the provider's reply. */
function conclude(addressed: Addressed, attempt: Attempt, reply: ProviderResult, othersLeft: boolean): Outcome {
  const { delivery, channel, context, sender } = addressed;
  const { accepted, refused, addressFeedback } = reply;
  if (accepted) {
    const { templateVersion } = addressed;
    return {
      kind: 'sent',
      attempt,
      templateVersion,
      ...(accepted.receipt && { receipt: accepted.receipt }),
      ...addressFeedback,
    };
  }
  if (refused.kind === 'throttled' && sender.account) sender.pausedUntil = performance.now() + pauseMs(refused);
  if (othersLeft && sender.account && FAILS_OVER.has(refused.kind)) {
    const triedAccountId = sender.account.id;
    return {
      kind: 'retry',
      reason: 'provider_down',
      delaySeconds: 0,
      weight: 0,
      attempt,
      triedAccountId,
      ...addressFeedback,
    };
  }
  const policy = context.category?.unknownOutcome ?? channel.unknownOutcome;
  if (refused.kind === 'unknown') instruments().unknown.add(1, { channel: delivery.channel, policy });
  const schedule = context.notification.endpointId
    ? WEBHOOK_RETRY_SCHEDULE_SECONDS
    : (context.tenant.settings.retry_schedule_seconds ?? DEFAULT_RETRY_SCHEDULE_SECONDS);
  const position = { retries: delivery.retries, schedule, random: Math.random() };
  return { ...afterFailure(attempt, refused.retryAfterSeconds, position, policy), ...addressFeedback };
}

/** Counts a refusal that is the account's fault against it. Throws BreakerOpen before anything has begun. */
async function throughBreaker(sender: Sender, work: () => Promise<ProviderResult>): Promise<ProviderResult> {
  // The sandbox never fails but when it is asked to.
  if (!sender.account) return await work();
  let reply: ProviderResult | undefined;
  try {
    await sender.breaker.run(async () => {
      reply = await work();
      if (reply.refused) throw reply.refused;
    });
  } catch (error) {
    if (!reply) throw error;
  }
  return reply!;
}

function isStalled({ breaker }: Sender): boolean {
  return breaker.hangs.isStalled;
}

/** The addresses of the delivery that this account reaches. */
function addressesFor(sender: Sender, { addresses }: Rendered): readonly string[] {
  return addresses.filter((address) => sender.reaches(address));
}

const PAUSE_FLOOR_SECONDS = 1;
const PAUSE_CAP_SECONDS = 60;

/** A pause of the whole account: as long as was asked, but an account is looked at again after a minute. */
function pauseMs({ retryAfterSeconds }: ProviderError): number {
  return Math.min(PAUSE_CAP_SECONDS, Math.max(PAUSE_FLOOR_SECONDS, retryAfterSeconds ?? 0)) * 1_000;
}

function failed(reason: 'no_provider' | 'no_address', detail: string): Outcome {
  return { kind: 'failed', reason, code: null, detail };
}

/** A signal that comes after so many milliseconds; AbortSignal takes whole ones only. */
function after(milliseconds: number): AbortSignal {
  return AbortSignal.timeout(Math.max(0, Math.ceil(milliseconds)));
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
