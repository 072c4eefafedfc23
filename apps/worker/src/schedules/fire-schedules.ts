import { createHash } from 'node:crypto';
import {
  type AcceptStore,
  type DueSchedule,
  type NewNotification,
  type ScheduleProgress,
  type StoreResult,
  type TemplatesStore,
  type TopicSendPart,
  type TopicSendsStore,
  toNewNotification,
  toTopicSend,
} from '#database';
import { channelsOf, DomainError, ruleFault } from '#domain';
import { type AcceptTrace, beginFire, endAccept, instruments, type Logger } from '#telemetry';
import { decideSchedules } from './decide-schedules.js';
import type { ScheduleDecision } from './next-position.js';

/** Occurrences in a row that may fail before the schedule is paused. */
const MAX_FAILURES = 10;
/**
 * The time of one batch for decisions and for sends to topics. The transaction waits meanwhile, and PostgreSQL ends one
 * that waits for ten seconds (libs/database/src/connection-pool.ts). Most batches need less than 100 ms.
 */
const BUDGET_MS = 1_000;
/** Sends to topics at a time, each on a connection of its own. */
const TOPICS_AT_ONCE = 4;
/** After which a schedule about which no decision could be made is due again. */
const UNDECIDED_MS = 60_000;

/** Undefined: try again later. */
type FireResult = { notificationId: string } | { code: string; message: string } | undefined;

interface Stores {
  accept: AcceptStore;
  topicSends: TopicSendsStore;
  templates: TemplatesStore;
}

/** Accepts the sends of due schedules and decides when each is due next. */
export class FireSchedules {
  constructor(
    private readonly stores: Stores,
    private readonly logger: Logger,
    private readonly budgetMs = BUDGET_MS,
  ) {}

  /**
   * Throws `unavailable` if nothing could be accepted. An occurrence that may not have been accepted has no progress,
   * and neither has one for which this batch had no time.
   */
  async run(due: readonly DueSchedule[]): Promise<ScheduleProgress[]> {
    const endsAt = performance.now() + this.budgetMs;
    const { occurrences, failed } = await decideSchedules(due, endsAt);
    const firing = occurrences.filter(({ decision }) => decision.fires).map(({ schedule }) => schedule);
    const fired = await this.fire(firing, endsAt);
    const progress = failed.map(({ schedule, error }) => this.undecided(schedule, error));
    for (const { schedule, decision } of occurrences) {
      const result = fired.get(schedule);
      if (decision.fires && !result) continue;
      count(decision, result);
      progress.push(toProgress(schedule, decision, result));
    }
    return progress;
  }

  private undecided(schedule: DueSchedule, err: unknown): ScheduleProgress {
    this.logger.error(
      { err, tenant_id: schedule.tenantId, schedule_id: schedule.id },
      'the next occurrence of a schedule could not be computed',
    );
    const nextAt = new Date(schedule.now.getTime() + UNDECIDED_MS);
    const position = { state: 'active', nextLocal: schedule.nextLocal, nextAt } as const;
    const decision: ScheduleDecision = { fires: false, missed: false, position };
    const failure = { code: 'internal', message: 'the next occurrence could not be computed; it is tried again' };
    count(decision, failure);
    return toProgress(schedule, decision, failure);
  }

  private async fire(due: readonly DueSchedule[], endsAt: number): Promise<Map<DueSchedule, FireResult>> {
    const results = new Map<DueSchedule, FireResult>();
    const missing = await this.missingTemplates(due);
    const ready = due.filter((schedule) => !missing.has(schedule));
    for (const [schedule, message] of missing) results.set(schedule, { code: 'unknown_template', message });
    const [toTopics, toRecipients] = [ready.filter(isToTopic), ready.filter((schedule) => !isToTopic(schedule))];
    const traces = new Map(ready.map((schedule) => [schedule, beginFire(schedule.traceparent)]));
    const requests = toRecipients.map((schedule) => requestOf(schedule, traces.get(schedule)));
    const stored = await this.stores.accept.acceptAll(requests);
    for (const [index, schedule] of toRecipients.entries())
      results.set(schedule, this.resultOf(schedule, requests[index]!, stored[index]!));
    // In the order of `due`, which is in turn of the tenants.
    for (let from = 0; from < toTopics.length && (from === 0 || performance.now() < endsAt); from += TOPICS_AT_ONCE) {
      const send = async (schedule: DueSchedule & ToTopic): Promise<unknown> =>
        results.set(schedule, await this.sendToTopic(schedule, traces.get(schedule)));
      await Promise.all(toTopics.slice(from, from + TOPICS_AT_ONCE).map(send));
    }
    for (const [schedule, trace] of traces) endFire(schedule, trace, results.get(schedule));
    return results;
  }

  private async sendToTopic(schedule: DueSchedule & ToTopic, trace: AcceptTrace | undefined): Promise<FireResult> {
    const { tenantId, notification, timezone, nextLocal } = schedule;
    const idempotency = keyOf(schedule);
    const body = timezone === 'recipient' ? { ...notification, scheduled_at_local: nextLocal } : notification;
    const send = toTopicSend({ tenantId, traceparent: trace?.traceparent ?? null }, body, idempotency);
    const { kind } = await this.stores.topicSends.accept(send);
    if (kind === 'accepted') return { notificationId: send.id };
    if (kind === 'unknown_topic')
      return { code: kind, message: `there is no topic ${JSON.stringify(notification.topic)}` };
    const [found] = await this.stores.accept.findAccepted(tenantId, [idempotency]);
    if (found instanceof DomainError) return { code: found.code, message: found.message };
    return found ? { notificationId: found } : undefined;
  }

  /** The same check as that of a send. Templates may have been deleted since the schedule was created. */
  private async missingTemplates(due: readonly DueSchedule[]): Promise<Map<DueSchedule, string>> {
    const missing = new Map<DueSchedule, string>();
    await Promise.all(
      due.map(async (schedule) => {
        const { tenantId, notification } = schedule;
        const { template_id: template } = notification;
        if (template === undefined) return;
        const channels = channelsOf(notification);
        const found = await Promise.all(
          channels.map(async (channel) => (await this.stores.templates.heads(tenantId, template, channel)).length > 0),
        );
        const without = channels.filter((_, index) => !found[index]);
        if (without.length > 0)
          missing.set(schedule, `there is no template ${JSON.stringify(template)} for ${without.join(', ')}`);
      }),
    );
    return missing;
  }

  private resultOf(schedule: DueSchedule, request: NewNotification, stored: StoreResult | DomainError): FireResult {
    if (stored instanceof DomainError) {
      if (stored.code === 'unavailable') return undefined;
      if (stored.code === 'internal')
        this.logger.error(
          { err: stored, tenant_id: schedule.tenantId, schedule_id: schedule.id },
          'an occurrence of a schedule could not be stored',
        );
      return { code: stored.code, message: stored.message };
    }
    if (stored.kind === 'no_address')
      return { code: 'no_address', message: `the recipient has no address for ${stored.channels.join(', ')}` };
    return { notificationId: stored.kind === 'replayed' ? stored.notificationId : request.notification.id };
  }
}

interface ToTopic {
  notification: TopicSendPart;
}

function isToTopic(schedule: DueSchedule): schedule is DueSchedule & ToTopic {
  return schedule.notification.topic !== undefined;
}

function requestOf(schedule: DueSchedule, trace: AcceptTrace | undefined): NewNotification {
  const { tenantId, notification } = schedule;
  const caller = { tenantId, traceparent: trace?.traceparent ?? null };
  return toNewNotification(caller, notification, notification, keyOf(schedule));
}

/** Nothing for an occurrence that is tried again. */
function endFire({ tenantId, id }: DueSchedule, trace: AcceptTrace | undefined, result: FireResult): void {
  if (!result) return;
  const attributes = {
    'carillon.tenant_id': tenantId,
    'carillon.schedule_id': id,
    'carillon.notification_id': 'notificationId' in result ? result.notificationId : undefined,
  };
  endAccept(trace, { kind: 'producer', attributes, error: 'code' in result ? result.code : undefined });
}

/** Makes an occurrence unique, also for a worker that repeats it after the schedule was changed. */
function keyOf({ id, nextLocal }: DueSchedule): { key: string; bodyHash: string } {
  const key = `schedule:${id}:${nextLocal}`;
  return { key, bodyHash: createHash('sha256').update(key).digest('hex') };
}

function toProgress(schedule: DueSchedule, decision: ScheduleDecision, result: FireResult): ScheduleProgress {
  const { missed, position } = decision;
  const failure = result && 'code' in result ? result : ruleError(schedule, decision);
  const failures = failure ? schedule.failures + 1 : decision.fires ? 0 : schedule.failures;
  const isPaused = typeof position === 'string' || (failures >= MAX_FAILURES && position.state === 'active');
  return {
    schedule,
    missed,
    failures,
    ...(isPaused ? { state: 'paused', nextLocal: null, nextAt: null } : position),
    notificationId: result && 'notificationId' in result ? result.notificationId : null,
    error: failure && { at: schedule.now.toISOString(), occurrence: schedule.nextLocal, ...failure },
  };
}

/** Why the rule has no next occurrence. */
function ruleError({ rrule }: DueSchedule, { position }: ScheduleDecision): { code: string; message: string } | null {
  switch (position) {
    case 'too_costly':
      return { code: position, message: 'the search for the next occurrence took too long; change rrule and resume' };
    case 'invalid_rule':
      return { code: position, message: `rrule ${ruleFault(rrule)}; change rrule and resume` };
    default:
      return null;
  }
}

function count({ fires }: ScheduleDecision, result: FireResult): void {
  const name = result && 'code' in result ? 'failed' : fires ? 'fired' : 'skipped';
  instruments().schedules.add(1, { result: name });
}
