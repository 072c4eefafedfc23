// Two sessions that share the statements of a seed: one alone uses a single core.

import pg from 'pg';

export interface SeedScope {
  tenantId: string;
  /** Deliveries to people. */
  deliveries: number;
  recipients: number;
  /** JSON: the ids of provider accounts by channel. */
  accounts: string;
}

export interface Statement {
  text: string;
  values: readonly unknown[];
}

const SESSIONS = 2;
/** Of the sessions only. Test data may be lost with the server, and is small enough to be sorted in memory. */
const SETTINGS = `
set synchronous_commit = off; set work_mem = '256MB'; set jit = off; set synchronize_seqscans = off`;

export class SeedSessions {
  private readonly clients: readonly pg.Client[];

  private constructor(clients: readonly pg.Client[]) {
    this.clients = clients;
  }

  static async open(databaseUrl: string, functions: string): Promise<SeedSessions> {
    const clients = Array.from({ length: SESSIONS }, () => new pg.Client({ connectionString: databaseUrl }));
    for (const client of clients) {
      await client.connect();
      await client.query(SETTINGS);
      await client.query(functions);
    }
    return new SeedSessions(clients);
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.clients[0]!.query<Row>(text, [...values])).rows;
  }

  /** Runs each group in its order, as many groups at the same time as there are sessions; the first ones first. */
  async run(groups: readonly (readonly Statement[])[]): Promise<void> {
    const left = [...groups];
    await Promise.all(
      this.clients.map(async (client) => {
        for (let group = left.shift(); group; group = left.shift())
          for (const { text, values } of group) await timed(text, () => client.query(text, [...values]));
      }),
    );
  }

  async close(): Promise<void> {
    for (const client of this.clients) await client.end();
  }
}

/** With SEED_TIMES=1 prints what each statement took. */
async function timed(text: string, run: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await run();
  if (process.env['SEED_TIMES'])
    console.log(`${((performance.now() - startedAt) / 1_000).toFixed(1)} s: ${text.trim().slice(0, 60)}`);
}
