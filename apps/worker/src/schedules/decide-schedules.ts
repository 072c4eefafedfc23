// Decides about the due schedules of a batch, inside its transaction.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DueSchedule } from '#database';
import { decideSchedule, type ScheduleDecision } from './next-position.js';

/** Evaluating rules may hold the event loop for about this long at a time. */
const TURN_MS = 3;

export interface Occurrence {
  schedule: DueSchedule;
  decision: ScheduleDecision;
}

interface Decided {
  occurrences: Occurrence[];
  /** Schedules about which no decision could be made. */
  failed: { schedule: DueSchedule; error: unknown }[];
}

/** Decides about schedules in their order, at least about one. Those after the end of the time are in neither list. */
export async function decideSchedules(due: readonly DueSchedule[], endsAt: number): Promise<Decided> {
  const decided: Decided = { occurrences: [], failed: [] };
  let turnEndsAt = performance.now() + TURN_MS;
  for (const schedule of due) {
    try {
      decided.occurrences.push({ schedule, decision: decideSchedule(schedule) });
    } catch (error) {
      decided.failed.push({ schedule, error });
    }
    const now = performance.now();
    if (now >= endsAt) break;
    if (now < turnEndsAt) continue;
    await nextTurn();
    turnEndsAt = performance.now() + TURN_MS;
  }
  return decided;
}
