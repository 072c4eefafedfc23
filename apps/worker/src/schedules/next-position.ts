// Decides what a worker does with a due schedule.

import type { DueSchedule, SchedulePosition } from '#database';
import { atLocalTime, FIRST_ZONE, firstTimezone, nextOccurrence, ruleFault } from '#domain';

/** An occurrence that is fired later than this is missed. */
const GRACE_MS = 60_000;

export interface ScheduleDecision {
  /** Whether to fire the occurrence. */
  fires: boolean;
  /** Whether it is too late, so that the misfire policy decides. */
  missed: boolean;
  /** The next occurrence. `too_costly`: the search for it was given up. `invalid_rule`: the rule is refused now. */
  position: SchedulePosition | 'too_costly' | 'invalid_rule';
}

/**
 * Fires an occurrence that is due. Of missed ones it fires none, or one for all of them: those in between never count.
 * If the zone of the recipient has changed so that the occurrence is not due yet, waits for it.
 */
export function decideSchedule(schedule: DueSchedule): ScheduleDecision {
  const { nextLocal: local, now } = schedule;
  if (ruleFault(schedule.rrule) !== null) return { fires: false, missed: false, position: 'invalid_rule' };
  const zone = zoneOf(schedule);
  const at = schedule.timezone === 'recipient' ? atLocalTime(local, zone) : schedule.nextAt;
  if (at > now) return { fires: false, missed: false, position: { state: 'active', nextLocal: local, nextAt: at } };
  const missed = now.getTime() - at.getTime() > GRACE_MS;
  const fires = !missed || schedule.misfire === 'fire_once';
  const lateSince = new Date(now.getTime() - GRACE_MS - 1);
  const after = !missed ? at : fires ? now : lateSince;
  const next = nextOccurrence(schedule, zone, { local, at: after });
  if (next === 'too_costly') return { fires, missed, position: next };
  const position: SchedulePosition =
    next === null
      ? { state: 'finished', nextLocal: null, nextAt: null }
      : { state: 'active', nextLocal: next.local, nextAt: next.at };
  return { fires, missed, position };
}

/** A topic begins in the first zone of the world; its members get their deliveries at their own local time. */
function zoneOf({ timezone, notification, recipientId, recipientTimezone, tenantTimezone }: DueSchedule): string {
  if (timezone !== 'recipient') return firstTimezone(timezone);
  if (recipientId === null) return FIRST_ZONE;
  return firstTimezone(notification.recipient?.timezone, recipientTimezone, tenantTimezone);
}
