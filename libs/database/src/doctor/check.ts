import { setTimeout as delay } from 'node:timers/promises';
import { NIL_ID } from '#domain';
import type { Database } from '../database.js';

/** Ids that a finding lists. */
export const MAX_EXAMPLES = 5;
/** A page normally takes some 20 ms. One that takes this long ends the check. */
const PAGE_TIMEOUT_MS = 20_000;
/** Rows of a page. */
const PAGE_ROWS = 5_000;
/** For the second look, which reads a range whatever its rows are now. */
const ALL_ROWS = 2_147_483_647;
/** Before the second look. */
const SECOND_LOOK_MS = 200;

export type Severity = 'error' | 'warning';

export interface Finding {
  /** A stable code. */
  problem: string;
  severity: Severity;
  count: number;
  /** At most {@link MAX_EXAMPLES}. */
  examples: string[];
  meaning: string;
  advice: string;
  /** How many of them `--fix` has corrected. */
  fixed: number;
}

export interface Check {
  name: string;
  /** Rows examined, and what is wrong. */
  run(onProgress: (examined: number) => void): Promise<{ examined: number; findings: Finding[] }>;
}

/** Collects what the pages of a check find. */
export class Findings {
  private readonly byProblem = new Map<string, Finding>();

  constructor(private readonly kinds: Readonly<Record<string, Pick<Finding, 'severity' | 'meaning' | 'advice'>>>) {}

  add(problem: string, ids: readonly string[], fixed = 0): void {
    if (ids.length === 0) return;
    const finding = this.byProblem.get(problem) ?? {
      problem,
      ...this.kinds[problem]!,
      count: 0,
      examples: [],
      fixed: 0,
    };
    finding.count += ids.length;
    finding.fixed += fixed;
    finding.examples.push(...ids.slice(0, MAX_EXAMPLES - finding.examples.length));
    this.byProblem.set(problem, finding);
  }

  list(): Finding[] {
    return [...this.byProblem.values()];
  }
}

/** One thing that is wrong. `id`: for a counter, of the row that has it. */
export interface Problem {
  problem: string;
  tenantId: string;
  id: string;
}

/** Rows of a page, and its last row in the order of the keys; null after the last page. */
export interface CheckedPage {
  examined: number;
  lastTenant: string | null;
  lastId: string | null;
  problems: Problem[] | null;
}

export type PagePlace = readonly [tenantId: string, id: string];

export const FIRST_UUID: PagePlace = [NIL_ID, NIL_ID];
export const FIRST_TEXT: PagePlace = [NIL_ID, ''];
/** After all keys: no tenant has this id. */
const END_UUID: PagePlace = ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];

export interface PagedCheck {
  first: PagePlace;
  /**
   * Reads up to $5 rows after the key $1, $2 and up to $3, $4, in their order, and returns a {@link CheckedPage}. More
   * values are $6 and so on.
   */
  text: string;
  more?: readonly unknown[];
}

/**
 * Reads a table page by page in the order of its key, each in a transaction of its own, one at a time, and waits after
 * each page half as long as the page took. So a check uses at most two thirds of one connection, and no snapshot is
 * held for long. Problems are looked at again: `found` gets those that are still there.
 */
export async function eachPage(
  database: Database,
  { first, text, more = [] }: PagedCheck,
  found: (problems: Problem[]) => Promise<void>,
  onProgress: (examined: number) => void,
): Promise<number> {
  const read = async (from: PagePlace, to: PagePlace, rows: number): Promise<CheckedPage> => {
    const statement = { text, values: [...from, ...to, rows, ...more] };
    const [page] = await database.sqlAsPlatform((sql) => sql.query<CheckedPage>(statement), PAGE_TIMEOUT_MS, true);
    return page!;
  };
  let examined = 0;
  for (let place = first; ; ) {
    const startedAt = performance.now();
    const page = await read(place, END_UUID, PAGE_ROWS);
    const tookMs = performance.now() - startedAt;
    const end = page.lastTenant === null || page.lastId === null ? null : ([page.lastTenant, page.lastId] as const);
    if (page.problems) {
      await delay(SECOND_LOOK_MS);
      const again = (await read(place, end ?? END_UUID, ALL_ROWS)).problems ?? [];
      await found(remaining(page.problems, again));
    }
    examined += page.examined;
    onProgress(examined);
    if (!end) return examined;
    place = end;
    await delay(tookMs / 2);
  }
}

/** Those of `before` that are also in `after`. */
function remaining(before: readonly Problem[], after: readonly Problem[]): Problem[] {
  const keyOf = ({ problem, tenantId, id }: Problem): string => `${problem} ${tenantId} ${id}`;
  const still = new Set(after.map(keyOf));
  return before.filter((one) => still.has(keyOf(one)));
}

/** The end of a statement with `page`, in the order of its key, and `problems`. */
export const PAGE_RESULT = `
select (select count(*)::integer from page) as examined,
       (select tenant_id from page order by tenant_id desc, id desc limit 1) as "lastTenant",
       (select id from page order by tenant_id desc, id desc limit 1) as "lastId",
       (select jsonb_agg(jsonb_build_object('problem', problem, 'tenantId', tenant_id, 'id', id)
               order by problem, tenant_id, id) from problems) as problems`;
