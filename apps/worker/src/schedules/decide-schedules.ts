// Decides about the due schedules of a batch, inside its transaction.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DueSchedule } from '#database';
import { decideSchedule, rememberedOccurrences, type ScheduleDecision } from './next-position.js';

/**
 * The time of one batch. The transaction waits meanwhile, and PostgreSQL ends one that waits for ten seconds
 * (libs/database/src/connection-pool.ts). Most batches need less than 100 ms.
 */
const BUDGET_MS = 1_000;
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

/** Decides about schedules in their order, at least about one. Those after the budget are in neither list. */
export async function decideSchedules(due: readonly DueSchedule[], budgetMs = BUDGET_MS): Promise<Decided> {
  const decided: Decided = { occurrences: [], failed: [] };
  const findNext = rememberedOccurrences();
  const endsAt = performance.now() + budgetMs;
  let turnEndsAt = performance.now() + TURN_MS;
  for (const schedule of due) {
    try {
      decided.occurrences.push({ schedule, decision: decideSchedule(schedule, findNext) });
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
