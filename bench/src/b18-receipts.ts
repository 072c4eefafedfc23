import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startVendor, type VendorDescription } from '../../libs/testing/src/vendors/http-vendor.ts';
import {
  type Report,
  type ReportOptions,
  reporters,
  SENDGRID_PUBLIC_KEY,
  SNS_CERTIFICATE,
  sendgridReport,
} from '../../libs/testing/src/vendors/receipts.ts';
import { untilDrained } from './b4-drain.ts';
import { type BenchTenant, load } from './bench-environment.ts';
import { fillDeliveries } from './fill.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';
import { FAKES } from './vendor.ts';

const SIZES = {
  smoke: { backlog: 3_000, runs: 1, calls: 1_000, batches: 20 },
  small: { backlog: 30_000, runs: 2, calls: 10_000, batches: 60 },
  full: { backlog: 100_000, runs: 3, calls: 30_000, batches: 200 },
};
/** Events in one call of SendGrid. */
const BATCH = 1_000;
const CONNECTIONS = 64;
/** Parallel calls with so many events. More would exceed the limit of waiting receipts (docs/limits.md). */
const BATCH_CONNECTIONS = 16;
const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:carillon';
const PUBLIC_URL = 'https://notify.example.com';
const TARGET_PER_SECOND = 5_000;
/** Lower bound: rate of calls with one receipt divided by the rate of accepts. Such a call costs about 1.5 accepts. */
const HTTP_FLOOR = 0.2;

type VendorId = 'ses' | 'twilio' | 'sendgrid';

export const b18: Scenario = {
  id: 'B18',
  title:
    'receipts: a drain whose vendor reports each delivery, and receipts over HTTP, 64 connections (16 with a thousand events per call)',
  async run(context: Context): Promise<Figures> {
    const { product, size, say } = context;
    const { backlog, runs, calls, batches } = SIZES[size];
    const tenant = await product.tenant(backlog / 5);
    const [without, withReceipts]: [number[], number[]] = [[], []];
    for (let run = 0; run < runs; run += 1) {
      without.push(await drain(context, tenant, backlog, null));
      withReceipts.push(await drain(context, tenant, backlog, 'ok@simulator.test'));
      say(
        `run ${run + 1} of ${runs}: ${Math.round(without.at(-1)!)} deliveries/s without receipts, ${Math.round(withReceipts.at(-1)!)} with`,
      );
    }
    await product.clean();
    const rates = await overHttp(context, tenant, { ses: calls, twilio: calls, sendgrid: batches });
    const accepts = await acceptsPerSecond(context, tenant, calls);
    const share = Math.min(rates.ses, rates.twilio) / accepts;
    if (size === 'smoke' && share < HTTP_FLOOR)
      throw new Error(`calls with one receipt are ${share.toFixed(3)} of accepts, below the floor of ${HTTP_FLOOR}`);
    const [rate, limit] = [median(withReceipts), median(without)];
    return {
      id: 'B18',
      work: this.title,
      figures: {
        drain_with_receipts_per_second: rate,
        drain_without_per_second: limit,
        accepts_per_second: accepts,
        ...Object.fromEntries(Object.entries(rates).map(([id, value]) => [`${id}_receipts_per_second`, value])),
      },
      headline: { name: 'drain with a receipt each', value: rate, unit: '/s' },
      limit: { name: 'drain without receipts', value: limit },
      peers: [],
      ratio: rate / limit,
      floor: 0.35,
      targets: [
        { name: '≥ 0.6 of the drain without receipts', met: rate >= 0.6 * limit },
        ...Object.entries(rates).map(([id, value]) => ({
          name: `${id} ≥ 5,000 receipts/s`,
          met: value >= TARGET_PER_SECOND,
        })),
      ],
    };
  },
};

/** Deliveries per second, from the first send to the last applied receipt. */
async function drain(
  { product, profiles }: Context,
  tenant: BenchTenant,
  backlog: number,
  address: string | null,
): Promise<number> {
  await product.clean();
  await fillDeliveries(product, tenant, backlog, { dueAt: new Date(), recipients: backlog / 5, address });
  await product.sql.query('vacuum analyze notifications, deliveries, due_deliveries');
  await product.sql.query('checkpoint');
  const worker = await product.start('worker', {}, profiles);
  await untilDrained(product);
  const state = address === null ? 'sent' : 'delivered';
  const ended = (): Promise<number> => product.count(`select count(*) from deliveries where state = '${state}'`);
  // The receipts of the last recorded sends are still being applied.
  for (let look = 0; look < 100 && (await ended()) < backlog; look += 1) await delay(50);
  await worker.stop();
  check(`deliveries ${state}`, await ended(), backlog);
  const { rows } = await product.sql.query<{ seconds: string }>(
    'select extract(epoch from max(coalesce(delivered_at, sent_at)) - min(sent_at)) as seconds from deliveries',
  );
  return backlog / Number(rows[0]!.seconds);
}

/** Receipts per second for each vendor, one for each delivery. */
async function overHttp(
  { product, say, profiles }: Context,
  tenant: BenchTenant,
  calls: Record<VendorId, number>,
): Promise<Record<VendorId, number>> {
  const api = await product.start('api', { ...FAKES, PUBLIC_URL }, profiles);
  const fake = await startVendor(certificateServer);
  const folder = mkdtempSync(join(tmpdir(), 'carillon-receipts-'));
  const rates: Partial<Record<VendorId, number>> = {};
  for (const id of ['ses', 'twilio', 'sendgrid'] as const) {
    const receipts = id === 'sendgrid' ? calls[id] * BATCH : calls[id];
    const credentials = credentialsOf(id, fake.url);
    const account = await accountOf(api.port, tenant, id, credentials);
    await product.clean();
    await fillDeliveries(product, tenant, receipts, { dueAt: null, accountId: account });
    await product.sql.query('vacuum analyze notifications, deliveries');
    const path = `/receipts/${id}/${account}`;
    const { rows } = await product.sql.query<{ id: string }>('select id from deliveries order by id');
    const file = join(folder, id);
    // Signed in advance, because signing takes longer than verifying.
    const reports = reportsOf(id, { credentials, url: `${PUBLIC_URL}${path}`, tenantId: tenant.id }, rows);
    writeFileSync(file, reports.join('\n'));
    const result = await load({
      port: api.port,
      path: id === 'twilio' ? `${path}?reference=${tenant.id}.{v3}` : path,
      connections: id === 'sendgrid' ? BATCH_CONNECTIONS : CONNECTIONS,
      requests: calls[id],
      recipients: 1,
      headers: id === 'sendgrid' ? SENDGRID_HEADERS : { 'x-twilio-signature': '{v2}' },
      body: '{v1}',
      valuesFile: file,
      expect: 200,
    });
    check('calls answered with 200', result.statuses['200'] ?? 0, calls[id]);
    check('delivered', await product.count(`select count(*) from deliveries where state = 'delivered'`), receipts);
    rates[id] = receipts / result.seconds;
    say(`${id}: ${Math.round(rates[id])} receipts/s, p99 ${result.p99.toFixed(1)} ms`);
  }
  await api.stop();
  await fake.close();
  rmSync(folder, { recursive: true });
  return rates as Record<VendorId, number>;
}

/** The reference: accepts over the same number of connections, one commit each. */
async function acceptsPerSecond({ product, say }: Context, tenant: BenchTenant, requests: number): Promise<number> {
  await product.clean();
  const api = await product.start('api');
  const order = {
    port: api.port,
    path: '/api/v1/notifications',
    connections: CONNECTIONS,
    headers: { 'X-API-Key': tenant.apiKey },
    body: '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}',
    recipients: 100,
  };
  const result = await load({ ...order, requests, keyPrefix: 'receipts-' });
  await api.stop();
  check('accepts answered with 202', result.statuses['202'] ?? 0, requests);
  say(`beside them: ${Math.round(requests / result.seconds)} accepts/s`);
  return requests / result.seconds;
}

const SENDGRID_HEADERS = {
  'x-twilio-email-event-webhook-timestamp': '{v2}',
  'x-twilio-email-event-webhook-signature': '{v3}',
};

/** One line of the load generator's file for each call: the body, then the other values that differ between calls. */
function reportsOf(
  id: VendorId,
  options: Omit<ReportOptions, 'deliveryId'>,
  rows: readonly { id: string }[],
): string[] {
  if (id === 'sendgrid') {
    const calls = Array.from({ length: rows.length / BATCH }, (_, at) => rows.slice(at * BATCH, (at + 1) * BATCH));
    return calls.map((batch) => {
      const events = batch.map((row) => ({
        kind: 'delivered' as const,
        tenantId: options.tenantId,
        deliveryId: row.id,
      }));
      return lineOf(sendgridReport(events), Object.keys(SENDGRID_HEADERS));
    });
  }
  return rows.map((row) => {
    const report = reporters[id]!.report('delivered', { ...options, deliveryId: row.id });
    return `${lineOf(report, ['x-twilio-signature'])}\t${row.id}`;
  });
}

function lineOf({ body, headers }: Report, names: string[]): string {
  return [body, ...names.map((name) => headers[name] ?? '-')].join('\t');
}

/** Serves the certificate that signs SNS messages. */
const certificateServer: VendorDescription = {
  id: 'ses',
  credentials: () => ({}),
  secrets: [],
  to: null,
  isSend: () => false,
  accept: () => ({ status: 200 }),
  other: () => ({ status: 200, body: SNS_CERTIFICATE }),
  refusals: {},
};

function credentialsOf(id: VendorId, endpoint: string): Record<string, unknown> {
  switch (id) {
    case 'ses':
      return {
        region: 'eu-west-1',
        access_key_id: 'AKIAABCDEFGHIJKLMNOP',
        secret_access_key: 'a-secret-of-the-account',
        from: 'bench@example.com',
        topic_arn: TOPIC,
        endpoint,
      };
    case 'twilio':
      return { account_sid: `AC${'0'.repeat(32)}`, auth_token: 'a-secret-of-the-account', from: '+15005550006' };
    case 'sendgrid':
      return { api_key: 'a-secret-of-the-account', from: 'bench@example.com', webhook_public_key: SENDGRID_PUBLIC_KEY };
  }
}

async function accountOf(
  port: number,
  tenant: BenchTenant,
  provider: VendorId,
  credentials: Record<string, unknown>,
): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/provider-accounts`, {
    method: 'POST',
    headers: { 'X-API-Key': tenant.apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: provider, provider, credentials }),
  });
  const body = (await answer.json()) as { id: string };
  if (answer.status !== 201) throw new Error(`no account: ${answer.status} ${JSON.stringify(body)}`);
  return body.id;
}
