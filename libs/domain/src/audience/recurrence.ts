// The occurrences of a recurrence rule. Rules are evaluated on a clock without changes, where each day has 24 hours;
// only the result becomes an instant of a zone. So a daily 02:30 happens once on the days on which clocks change too,
// and the same rule serves recipients in all zones.

import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { localAt, nextLocal } from './local-search.js';
import { atLocalTime, localTime, localTimeAt } from './local-time.js';
import { type RecurrenceRule, readRecurrenceRule } from './recurrence-rule.js';

export interface Recurrence {
  /** Checked with readRecurrenceRule. */
  rrule: string;
  /** The local time from which the rule counts (DTSTART of RFC 5545). */
  startsAtLocal: string;
  /** Local times and dates that are left out. */
  exdates: readonly string[];
  /** The last local time, if the rule has a COUNT. */
  lastLocal: string | null;
}

export interface Occurrence {
  /** Its local time; for an occurrence in a gap of local time, the time that the rule names. */
  local: string;
  at: Date;
}

/** Null: none follows. `too_costly`: the search was given up after its limit of work. */
export type NextOccurrence = Occurrence | null | 'too_costly';

/** Time of one core for one occurrence, checked between the searches that dates need which are left out. */
const MAX_CPU_MS = 20;

/** Dates and local times that a rule leaves out. */
export const exdates = z
  .array(z.union([localTime, z.iso.date()], { error: 'must be a local time like "2026-12-24T09:00:00" or a date' }))
  .max(100);

/**
 * The first occurrence in `zone` after this instant and after this local time, if it is not null. The local time
 * matters where the zone has changed since the last occurrence: it is not repeated in the new zone.
 */
export function nextOccurrence(
  recurrence: Recurrence,
  zone: string,
  after: { local: string | null; at: Date },
  cpuEndsAt = cpuMs() + MAX_CPU_MS,
): NextOccurrence {
  const rule = ruleOf(recurrence.rrule);
  const shown = localTimeAt(after.at, zone);
  let from = after.local !== null && after.local > shown ? after.local : shown;
  while (cpuMs() <= cpuEndsAt) {
    const local = nextLocal(rule, recurrence, from);
    if (local === 'too_costly') return local;
    if (local === null || isAfterEnd(local, rule, recurrence.lastLocal)) return null;
    const date = local.slice(0, 10);
    const isLeftOut = recurrence.exdates.includes(date);
    from = isLeftOut ? `${date}T23:59:59` : local;
    if (isLeftOut) continue;
    const at = atLocalTime(local, zone);
    if (rule.until && 'instant' in rule.until && at > rule.until.instant) return null;
    // Not in the second pass of an overlap, whose times have happened in the first.
    if (at > after.at) return { local, at };
  }
  return 'too_costly';
}

/** The next `count` occurrences, or as many as are found within this time of one core. */
export function searchOccurrences(
  recurrence: Recurrence,
  zone: string,
  after: { local: string | null; at: Date },
  count: number,
  cpuMsAllowed: number,
): { found: Occurrence[]; isTooCostly: boolean } {
  const found: Occurrence[] = [];
  const endsAt = cpuMs() + cpuMsAllowed;
  let last = after;
  while (found.length < count) {
    const next = nextOccurrence(recurrence, zone, last, endsAt);
    if (next === null || next === 'too_costly') return { found, isTooCostly: next !== null };
    found.push(next);
    last = next;
  }
  return { found, isTooCostly: false };
}

/**
 * The last local time of a rule with a COUNT, null for other rules. Computed once, because each search would otherwise
 * count from the start. Occurrences that are left out count.
 */
export function lastLocalOf(
  recurrence: Pick<Recurrence, 'rrule' | 'startsAtLocal'>,
): Recurrence['lastLocal'] | 'too_costly' {
  const rule = ruleOf(recurrence.rrule);
  return rule.count === null ? null : localAt(rule, { ...recurrence, exdates: [] }, rule.count);
}

/** Why a rule is not accepted, null if it is. An earlier release may have stored a rule that is refused now. */
export function ruleFault(rrule: string): string | null {
  const rule = readRule(rrule);
  return 'faults' in rule ? rule.faults.join('; ') : null;
}

function ruleOf(rrule: string): RecurrenceRule {
  const rule = readRule(rrule);
  if ('faults' in rule) throw new Error(`a stored recurrence rule ${rule.faults.join(', ')}`);
  return rule;
}

const rules = new LRUCache<string, ReturnType<typeof readRecurrenceRule>>({ max: 1_000 });

function readRule(rrule: string): ReturnType<typeof readRecurrenceRule> {
  const known = rules.get(rrule);
  if (known) return known;
  const rule = readRecurrenceRule(rrule);
  rules.set(rrule, rule);
  return rule;
}

function isAfterEnd(local: string, { until }: RecurrenceRule, lastLocal: string | null): boolean {
  return (lastLocal !== null && local > lastLocal) || (until !== null && 'local' in until && local > until.local);
}

/** Not the time that passes: on a busy machine a process may wait. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
