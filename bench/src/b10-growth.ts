import { drained, fill, untilDrained } from './b4-drain.ts';
import { type BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import { fillDeliveries } from './fill.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { few: 2_000, many: 20_000, tenants: 100, work: 2_000, runs: 1 },
  small: { few: 100_000, many: 1_000_000, tenants: 1_000, work: 15_000, runs: 3 },
  full: { few: 100_000, many: 10_000_000, tenants: 10_000, work: 15_000, runs: 3 },
};
/** The large tables. `due_deliveries` is not checked, because the bench itself counts its rows. */
const TABLES = ['idempotency_keys', 'recipients', 'templates', 'tenants'];
/** Housekeeping searches for old keys. While there are few, the planner may choose a sequential scan. */
const FEW_KEYS_BYTES = 16 * 1024 * 1024;

export const b10: Scenario = {
  id: 'B10',
  title: 'growth: accept and drain with few rows in the tables, and with many of many tenants',
  async run({ product, size, say }: Context): Promise<Figures> {
    const { few, many, tenants, work, runs } = SIZES[size];
    const tenant = await product.tenant(work / 5);
    await product.sql.query(
      `insert into tenants (id, name) select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'Tenant ' || n from generate_series(0, $1 - 1) n`,
      [tenants],
    );
    await fillDeliveries(product, tenant, few, { dueAt: null });
    const before = await both(product, tenant, work, runs);
    say(`${few} rows: ${Math.round(before.accept)} accepts/s, ${Math.round(before.drain)} deliveries/s`);
    await fillDeliveries(product, tenant, many - few, { dueAt: null, tenants });
    say(`${many} rows of ${tenants} tenants`);
    const after = await both(product, tenant, work, runs);
    say(`${many} rows: ${Math.round(after.accept)} accepts/s, ${Math.round(after.drain)} deliveries/s`);
    const [accept, drain] = [before.accept / after.accept, before.drain / after.drain];
    const worst = Math.max(accept, drain);
    return {
      id: 'B10',
      work: this.title,
      figures: {
        rows_before: few,
        rows_after: many,
        tenants,
        accept_before: before.accept,
        accept_after: after.accept,
        drain_before: before.drain,
        drain_after: after.drain,
        accept_growth: accept,
        drain_growth: drain,
      },
      headline: { name: `cost of ${many / few} times the rows`, value: worst, unit: 'x' },
      limit: { name: 'no growth', value: 1 },
      peers: [],
      ratio: 1 / worst,
      floor: 0.3,
      targets: [{ name: 'growth ≤ 1.2x', met: worst <= 1.2 }],
    };
  },
};

async function both(
  product: BenchEnvironment,
  tenant: BenchTenant,
  work: number,
  runs: number,
): Promise<{ accept: number; drain: number }> {
  await product.sql.query('vacuum analyze');
  const [accepts, drains]: [number[], number[]] = [[], []];
  for (let run = 0; run < runs; run += 1) {
    const scans = await scanned(product);
    const api = await product.start('api');
    const order = {
      port: api.port,
      path: '/api/v1/notifications',
      connections: 64,
      headers: { 'X-API-Key': tenant.apiKey },
      body: '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}',
      recipients: work / 5,
    };
    await load({ ...order, requests: 1_000, keyPrefix: `w${performance.now()}-` });
    const result = await load({ ...order, requests: work, keyPrefix: `g${performance.now()}-` });
    check('requests answered with 202', result.statuses['202'] ?? 0, work);
    accepts.push(work / result.seconds);
    await api.stop();
    await product.sql.query('truncate due_deliveries, rate_windows');
    await fill(product, tenant, work, 'email', false);
    const since = (await product.sql.query<{ now: Date }>('select now()')).rows[0]!.now;
    const worker = await product.start('worker');
    await untilDrained(product);
    await worker.stop();
    // Reports even a single sequential scan of a large table.
    const read = [...(await scanned(product))]
      .filter(([table, { times }]) => times > (scans.get(table)?.times ?? 0))
      // One worker reads the retention of all tenants every ten minutes.
      .filter(([table]) => table !== 'tenants')
      .filter(([table, { bytes }]) => table !== 'idempotency_keys' || bytes > FEW_KEYS_BYTES)
      .map(([table]) => table);
    check(`tables read from end to end (${read.join(', ')})`, read.length, 0);
    drains.push(work / (await drained(product, since)));
  }
  return { accept: median(accepts), drain: median(drains) };
}

/** Sequential scans of a table and its partitions, and its size in bytes. */
async function scanned(product: BenchEnvironment): Promise<Map<string, { times: number; bytes: number }>> {
  await product.sql.query('select pg_stat_force_next_flush()');
  const { rows } = await product.sql.query<{ relname: string; seq_scan: string; bytes: string }>(
    `select relname, seq_scan, pg_relation_size(relid) as bytes from pg_stat_user_tables
     where relname = any ($1) or relname ~ '^(notifications|deliveries|attempts)_[0-9]'`,
    [TABLES],
  );
  return new Map(rows.map((row) => [row.relname, { times: Number(row.seq_scan), bytes: Number(row.bytes) }]));
}
