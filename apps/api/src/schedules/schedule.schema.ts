import { z } from 'zod';
import { misfirePolicies, type Schedule, scheduleStates } from '#database';
import {
  exdates,
  localTime,
  type Occurrence,
  readRecurrenceRule,
  ruleFault,
  searchOccurrences,
  timezone,
} from '#domain';
import { id, jsonObject, time } from '../http/schemas.js';
import { repeatedBody } from '../notifications/notification.schema.js';

/** The zone of a schedule whose local time counts in the zone of each recipient. */
export const RECIPIENT = 'recipient';
/** Occurrences in the answer. */
export const SHOWN = 10;
/** Time of one core for them. Then the answer has fewer. */
const MAX_CPU_MS = 20;

const fields = {
  rrule: z
    .string()
    .superRefine((text, context) => {
      const rule = readRecurrenceRule(text);
      if (!('faults' in rule)) return;
      for (const message of rule.faults) context.addIssue({ code: 'custom', message, params: { code: 'invalid' } });
    })
    .meta({ description: 'A recurrence rule of RFC 5545', examples: ['FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0'] }),
  exdates: exdates.default([]).meta({ description: 'Local times and dates that are left out' }),
  timezone: z
    .union([z.literal(RECIPIENT), timezone], { error: 'must be an IANA time zone like "Europe/Paris", or "recipient"' })
    .meta({ description: 'The zone of the local times, or `recipient` for the zone of each recipient' }),
  starts_at_local: localTime.optional().meta({
    description: 'The local time from which the rule counts, DTSTART of RFC 5545. Default: this minute',
  }),
  notification: repeatedBody,
  misfire: z.enum(misfirePolicies).default('fire_once').meta({
    description: 'Occurrences that are more than a minute late: fire one for all of them, or skip them',
  }),
};

export const scheduleBody = z.strictObject(fields).meta({
  id: 'CreateSchedule',
  examples: [
    {
      rrule: 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0',
      timezone: 'Europe/Paris',
      notification: { recipient_id: 'user-123', channel: 'email', template_id: 'weekly-report' },
    },
  ],
});
export type ScheduleBody = z.infer<typeof scheduleBody>;

/** The merged schedule is validated as a whole. */
export const schedulePatch = z
  .strictObject({
    rrule: z.string().optional(),
    exdates: exdates.nullish(),
    timezone: z.string().optional(),
    starts_at_local: localTime.nullish(),
    notification: jsonObject.optional().meta({ description: 'Merged with the stored one; null removes a field' }),
    misfire: z.enum(misfirePolicies).nullish(),
  })
  .meta({ id: 'PatchSchedule' });
export type SchedulePatch = z.infer<typeof schedulePatch>;

const at = time.nullable();

export const scheduleView = z
  .object({
    id,
    state: z.enum(scheduleStates),
    rrule: z.string(),
    exdates: z.array(z.string()),
    timezone: z.string(),
    starts_at_local: z.string(),
    notification: jsonObject,
    misfire: z.enum(misfirePolicies),
    next: z.array(z.string()).meta({
      description:
        'The next ten occurrences, in lists one; local times without an offset if the zone is that of the recipient',
    }),
    rule_error: z.string().nullable().meta({
      description:
        'Why the schedule does not fire: an earlier release stored a rule that is refused now. Change `rrule`',
    }),
    last_fired_at: at,
    last_notification_id: id.nullable(),
    last_missed_at: at.meta({ description: 'The last occurrence that was more than a minute late' }),
    failures: z.int().meta({ description: 'Occurrences in a row that could not be fired' }),
    last_error: z.object({ at: time, occurrence: z.string(), code: z.string(), message: z.string() }).nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Schedule' });

/** The body that creates such a schedule. */
export function toBody(schedule: Schedule): z.input<typeof scheduleBody> {
  return {
    rrule: schedule.rrule,
    exdates: [...schedule.exdates],
    timezone: schedule.timezone,
    starts_at_local: schedule.startsAtLocal,
    notification: schedule.notification,
    misfire: schedule.misfire,
  };
}

/** With the next occurrence only, which is stored: a list evaluates no rules. */
export function toListedView(schedule: Schedule): z.infer<typeof scheduleView> {
  return viewOf(schedule, 1);
}

export function toScheduleView(schedule: Schedule): z.infer<typeof scheduleView> {
  return viewOf(schedule, SHOWN);
}

function viewOf(schedule: Schedule, shown: number): z.infer<typeof scheduleView> {
  return {
    id: schedule.id,
    state: schedule.state,
    rrule: schedule.rrule,
    exdates: [...schedule.exdates],
    timezone: schedule.timezone,
    starts_at_local: schedule.startsAtLocal,
    notification: { ...schedule.notification },
    misfire: schedule.misfire,
    next: nextOf(schedule, shown),
    rule_error: ruleFault(schedule.rrule),
    last_fired_at: text(schedule.lastFiredAt),
    last_notification_id: schedule.lastNotificationId,
    last_missed_at: text(schedule.lastMissedAt),
    failures: schedule.failures,
    last_error: schedule.lastError,
    created_at: schedule.createdAt.toISOString(),
    updated_at: schedule.updatedAt.toISOString(),
  };
}

function nextOf(schedule: Schedule, count: number): string[] {
  const { nextLocal: local, nextAt: at } = schedule;
  if (local === null || at === null || ruleFault(schedule.rrule) !== null) return [];
  const isLocal = schedule.timezone === RECIPIENT;
  // Local times are the same in all zones: UTC stands for the zones of the recipients.
  const zone = isLocal ? 'UTC' : schedule.timezone;
  const first: Occurrence = { local, at: isLocal ? new Date(`${local}Z`) : at };
  const { found } = searchOccurrences(schedule, zone, first, count - 1, MAX_CPU_MS);
  return [first, ...found].map((occurrence) => (isLocal ? occurrence.local : occurrence.at.toISOString()));
}

function text(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}
