import { setTimeout as delay } from 'node:timers/promises';
import { NIL_ID } from '#domain';
import type { Database } from '../database.js';
import type { Sql } from '../statement.js';

/** Ids that a finding lists. */
export const MAX_EXAMPLES = 5;
/** A page normally takes a tenth of a second. One that takes this long ends the check. */
const PAGE_TIMEOUT_MS = 20_000;

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

/** The last row of a page, in the order of its keys. */
export interface PageEnd {
  examined: number;
  lastTenant: string | null;
  lastId: string | null;
}

export type PagePlace = readonly [tenantId: string, id: string];

export const FIRST_UUID: PagePlace = [NIL_ID, NIL_ID];
export const FIRST_TEXT: PagePlace = [NIL_ID, ''];

/**
 * Reads a table page by page in the order of its key, each in a transaction of its own, one at a time. Waits after each
 * page as long as the page took, so that a check never uses more than half of one connection.
 */
export async function eachPage<Page extends PageEnd>(
  database: Database,
  first: PagePlace,
  read: (sql: Sql, place: PagePlace) => Promise<Page>,
  onProgress: (examined: number) => void,
): Promise<number> {
  let examined = 0;
  for (let place = first; ; ) {
    const startedAt = performance.now();
    const page = await database.sqlAsPlatform((sql) => read(sql, place), PAGE_TIMEOUT_MS);
    examined += page.examined;
    onProgress(examined);
    if (page.lastTenant === null || page.lastId === null) return examined;
    place = [page.lastTenant, page.lastId];
    await delay(performance.now() - startedAt);
  }
}
