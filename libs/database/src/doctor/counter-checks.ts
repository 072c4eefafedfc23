import type { Database } from '../database.js';
import type { Sql } from '../statement.js';
import { type Check, eachPage, FIRST_TEXT, FIRST_UUID, Findings, type PageEnd, type PagePlace } from './check.js';
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

interface Counted extends PageEnd {
  wrong: { tenantId: string; id: string }[];
}

interface CounterStatements {
  read: string;
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
  const check = (
    problem: keyof typeof COUNTERS,
    { first, statements, more }: { first: PagePlace; statements: CounterStatements; more: unknown[] },
  ): Check => ({
    name: problem,
    run: async (onProgress) => {
      const findings = new Findings(COUNTERS);
      const examined = await eachPage(
        database,
        first,
        async (sql, place) => {
          const page = await readPage(sql, statements.read, [...place, ...more]);
          const fixed = fix ? await recount(sql, statements, page.wrong) : 0;
          const names = page.wrong.map(({ tenantId, id }) => (first === FIRST_UUID ? id : `${tenantId} ${id}`));
          findings.add(problem, names, fixed);
          return page;
        },
        onProgress,
      );
      return { examined, findings: findings.list() };
    },
  });
  return [
    check('notification_counters', {
      first: FIRST_UUID,
      statements: { read: NOTIFICATIONS, lock: LOCK_NOTIFICATIONS, fix: FIX_NOTIFICATIONS },
      more: [retentionDays],
    }),
    check('inbox_counters', {
      first: FIRST_TEXT,
      statements: { read: INBOXES, lock: LOCK_INBOXES, fix: FIX_INBOXES },
      more: [],
    }),
    check('topic_subscribers', {
      first: FIRST_UUID,
      statements: { read: TOPICS, lock: LOCK_TOPICS, fix: FIX_TOPICS },
      more: [],
    }),
  ];
}

async function readPage(sql: Sql, text: string, values: unknown[]): Promise<Counted> {
  const [row] = await sql.query<Omit<Counted, 'wrong'> & { wrong: Counted['wrong'] | null }>({ text, values });
  return { ...row!, wrong: row!.wrong ?? [] };
}

async function recount(sql: Sql, { lock, fix }: CounterStatements, wrong: Counted['wrong']): Promise<number> {
  if (wrong.length === 0) return 0;
  const values = [wrong.map(({ tenantId }) => tenantId), wrong.map(({ id }) => id)];
  await sql.query({ text: lock, values });
  return (await sql.query({ text: fix, values })).length;
}
