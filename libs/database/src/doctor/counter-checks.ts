import type { Database } from '../database.js';
import { type Check, eachPage, FIRST_TEXT, FIRST_UUID, Findings, type PagedCheck, type Problem } from './check.js';
import {
  FIX_INBOXES,
  FIX_NOTIFICATIONS,
  FIX_TOPICS,
  INBOXES,
  LOCK_INBOXES,
  LOCK_NOTIFICATIONS,
  LOCK_TOPICS,
  NOTIFICATIONS,
  TOPICS,
} from './counter-statements.js';

/** A recount of a whole page. */
const FIX_TIMEOUT_MS = 20_000;

interface CounterStatements {
  lock: string;
  fix: string;
}

const COUNTERS = {
  notification_counters: {
    severity: 'error',
    meaning: 'The counters of a notification differ from the states of its deliveries, so its status is wrong.',
    advice: 'Run `carillon doctor --fix`, which recounts them. Then report it with the ids: counters are exact.',
  },
  inbox_counters: {
    severity: 'error',
    meaning: 'The counters of an inbox differ from its items. The ids are tenant and recipient.',
    advice: 'Run `carillon doctor --fix`, which recounts them. Then report it with the ids: counters are exact.',
  },
  topic_subscribers: {
    severity: 'error',
    meaning: 'The number of subscribers of a topic differs from its subscriptions.',
    advice: 'Run `carillon doctor --fix`, which recounts them. Then report it with the ids: counters are exact.',
  },
} as const;

/**
 * Compares the counters with a recount in the snapshot of one statement. It is exact while others work, because a
 * change and its counter are in one commit.
 *
 * `fix` recounts: one statement locks the rows with counters, the next counts with a new snapshot. A change that is not
 * committed by then is not in that snapshot, and adds itself afterwards, because it waits for the lock.
 */
export function counterChecks(database: Database, fix: boolean, retentionDays: number): Check[] {
  const check = (problem: keyof typeof COUNTERS, paged: PagedCheck, statements: CounterStatements): Check => ({
    name: problem,
    run: async (onProgress) => {
      const findings = new Findings(COUNTERS);
      const found = async (problems: Problem[]): Promise<void> => {
        const fixed = fix ? await recount(database, statements, problems) : 0;
        const names = problems.map(({ tenantId, id }) => (paged.first === FIRST_UUID ? id : `${tenantId} ${id}`));
        findings.add(problem, names, fixed);
      };
      return { examined: await eachPage(database, paged, found, onProgress), findings: findings.list() };
    },
  });
  return [
    check(
      'notification_counters',
      { first: FIRST_UUID, text: NOTIFICATIONS, more: [retentionDays] },
      { lock: LOCK_NOTIFICATIONS, fix: FIX_NOTIFICATIONS },
    ),
    check('inbox_counters', { first: FIRST_TEXT, text: INBOXES }, { lock: LOCK_INBOXES, fix: FIX_INBOXES }),
    check('topic_subscribers', { first: FIRST_UUID, text: TOPICS }, { lock: LOCK_TOPICS, fix: FIX_TOPICS }),
  ];
}

async function recount(database: Database, { lock, fix }: CounterStatements, problems: Problem[]): Promise<number> {
  if (problems.length === 0) return 0;
  const values = [problems.map(({ tenantId }) => tenantId), problems.map(({ id }) => id)];
  return await database.sqlAsPlatform(async (sql) => {
    await sql.query({ text: lock, values });
    return (await sql.query({ text: fix, values })).length;
  }, FIX_TIMEOUT_MS);
}
