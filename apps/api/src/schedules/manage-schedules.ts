import { Injectable } from '@nestjs/common';
import {
  type AuditNote,
  mergePatch,
  type Schedule,
  type ScheduleFields,
  type SchedulePosition,
  SchedulesStore,
  TopicsStore,
} from '#database';
import {
  DomainError,
  FIRST_ZONE,
  type FieldError,
  firstTimezone,
  lastLocalOf,
  localTimeAt,
  type NextOccurrence,
  nextOccurrence,
  notFound,
  type Recurrence,
  recipientIdOf,
  ruleFault,
  searchOccurrences,
  validationFailed,
} from '#domain';
import type { Caller } from '../access/access.js';
import { validate, withValue } from '../http/request-schema.pipe.js';
import { CheckSend, givenAddressErrors } from '../notifications/check-send.js';
import { LocalTimes } from '../notifications/local-times.js';
import type { RepeatedBody } from '../notifications/notification.schema.js';
import { RECIPIENT, type ScheduleBody, type SchedulePatch, SHOWN, scheduleBody, toBody } from './schedule.schema.js';

const MAX_SCHEDULES = 10_000;
/** Time of one core for the occurrences that an answer shows. Includes the compilation of a process that has begun. */
const MAX_CPU_MS = 50;
const PAUSED: SchedulePosition = { state: 'paused', nextLocal: null, nextAt: null };

/** The schedules of a tenant. Workers fire them. */
@Injectable()
export class ManageSchedules {
  constructor(
    private readonly store: SchedulesStore,
    private readonly topics: TopicsStore,
    private readonly checkSend: CheckSend,
    private readonly localTimes: LocalTimes,
  ) {}

  /** Throws `validation_failed`, `no_address` and `unknown_template` with all errors at once, `conflict`. */
  async create(caller: Caller, body: ScheduleBody, audit: AuditNote): Promise<Schedule> {
    checkMaySend(caller);
    const fields = await this.prepare(caller, body);
    const schedule = await this.store.create(caller.tenantId, fields, MAX_SCHEDULES, audit);
    if (schedule) return schedule;
    throw new DomainError(
      'conflict',
      `This tenant already has ${MAX_SCHEDULES} schedules, the maximum; delete one first.`,
    );
  }

  async get({ tenantId }: Caller, id: string): Promise<Schedule> {
    const schedule = await this.store.get(tenantId, id);
    if (!schedule) throw notFound('schedule', id);
    return schedule;
  }

  /** The next occurrence is computed again, from now on. A paused schedule stays paused. */
  async patch(caller: Caller, id: string, patch: SchedulePatch, audit: AuditNote): Promise<Schedule> {
    checkMaySend(caller);
    const before = await this.get(caller, id);
    const { data, errors } = validate(scheduleBody, mergePatch(toBody(before), patch));
    if (errors) throw validationFailed(errors);
    const fields = await this.prepare(caller, data);
    return await this.replace(caller, before, { ...fields, ...(before.state === 'paused' && PAUSED) }, audit);
  }

  /** Occurrences until it is resumed are left out. */
  async pause(caller: Caller, id: string, audit: AuditNote): Promise<Schedule> {
    const schedule = await this.get(caller, id);
    if (schedule.state === 'paused') return schedule;
    if (schedule.state === 'finished')
      throw new DomainError('conflict', `Schedule ${id} is finished: its rule has no more occurrences.`);
    return await this.replace(caller, schedule, { ...schedule, ...PAUSED }, audit);
  }

  async resume(caller: Caller, id: string, audit: AuditNote): Promise<Schedule> {
    checkMaySend(caller);
    const schedule = await this.get(caller, id);
    if (schedule.state === 'active') return schedule;
    const fault = ruleFault(schedule.rrule);
    if (fault !== null)
      throw new DomainError('conflict', `Schedule ${id} cannot be resumed: its rrule ${fault}. Change rrule first.`);
    const zone = await this.zoneOf(caller, schedule);
    const next = nextOccurrence(schedule, zone, { local: null, at: new Date() });
    return await this.replace(caller, schedule, { ...schedule, ...positionOf(next) }, audit);
  }

  async delete({ tenantId }: Caller, id: string, audit: AuditNote): Promise<void> {
    if (!(await this.store.delete(tenantId, id, audit))) throw notFound('schedule', id);
  }

  private async replace(
    { tenantId }: Caller,
    before: Schedule,
    fields: ScheduleFields & SchedulePosition,
    audit: AuditNote,
  ): Promise<Schedule> {
    const after = await this.store.replace(tenantId, before, fields, audit);
    if (after) return after;
    throw new DomainError('conflict', `Schedule ${before.id} was changed at the same time; read it and try again.`);
  }

  private async prepare(caller: Caller, body: ScheduleBody): Promise<ScheduleFields & SchedulePosition> {
    const { rrule, exdates, timezone, notification, misfire } = body;
    const now = new Date();
    const zone = await this.zoneOf(caller, body);
    // To the minute, so that a rule with hours and minutes only fires at second 0.
    const startsAtLocal = body.starts_at_local ?? `${localTimeAt(now, zone).slice(0, 16)}:00`;
    const lastLocal = lastLocalOf({ rrule, startsAtLocal });
    const recurrence = { rrule, exdates, startsAtLocal, lastLocal: lastLocal === 'too_costly' ? null : lastLocal };
    const next = lastLocal === 'too_costly' ? lastLocal : firstOf(recurrence, zone, now);
    const errors = [...(await this.notificationErrors(caller, notification)), ...ruleErrors(rrule, next)];
    if (errors.length > 0) throw validationFailed(errors);
    const recipientId = notification.topic === undefined ? recipientIdOf(notification) : null;
    const { traceparent } = caller;
    return { ...recurrence, timezone, notification, recipientId, misfire, traceparent, ...positionOf(next) };
  }

  private async notificationErrors(caller: Caller, notification: RepeatedBody): Promise<FieldError[]> {
    const { topic } = notification;
    const errors = [
      ...(await this.checkSend.message(caller, notification, notification.payload)),
      ...(topic === undefined
        ? [
            ...givenAddressErrors(notification, notification),
            ...(await this.checkSend.storedAddresses(caller, notification, notification)),
          ]
        : await this.topicErrors(caller, topic)),
    ];
    return errors.map((error) => ({ ...error, pointer: `/notification${error.pointer}` }));
  }

  private async topicErrors({ tenantId }: Caller, topic: string): Promise<FieldError[]> {
    if (await this.topics.get(tenantId, topic)) return [];
    return [{ pointer: '/topic', code: 'unknown_topic', message: `there is no topic ${JSON.stringify(topic)}` }];
  }

  private async zoneOf(
    caller: Caller,
    { timezone, notification }: Pick<ScheduleFields, 'timezone' | 'notification'>,
  ): Promise<string> {
    if (timezone !== RECIPIENT) return firstTimezone(timezone);
    if (notification.topic !== undefined) return FIRST_ZONE;
    const [zone] = await this.localTimes.zonesOf(caller, [notification]);
    return zone!;
  }
}

/** A schedule sends, so that who creates or changes one needs the right to send. */
function checkMaySend({ scopes }: Caller): void {
  if (scopes.has('notifications:write')) return;
  throw new DomainError(
    'forbidden',
    'This API key lacks the scope notifications:write, which a schedule needs because it sends.',
  );
}

/** The first occurrence, of a rule whose occurrences in an answer are quickly found. */
function firstOf(recurrence: Recurrence, zone: string, now: Date): NextOccurrence {
  const { found, isTooCostly } = searchOccurrences(recurrence, zone, { local: null, at: now }, SHOWN, MAX_CPU_MS);
  return isTooCostly ? 'too_costly' : (found[0] ?? null);
}

function ruleErrors(rrule: string, next: NextOccurrence): FieldError[] {
  if (next === null) {
    const message = withValue('has no occurrence in the future', rrule);
    return [{ pointer: '/rrule', code: 'no_occurrence', message }];
  }
  if (next !== 'too_costly') return [];
  const message = withValue('has no occurrence, or takes too long to evaluate', rrule);
  return [{ pointer: '/rrule', code: 'too_costly', message }];
}

function positionOf(next: NextOccurrence): SchedulePosition {
  if (next === null || next === 'too_costly') return { state: 'finished', nextLocal: null, nextAt: null };
  return { state: 'active', nextLocal: next.local, nextAt: next.at };
}
