// npm run measure:console: the latency of every list of the console, as a table in Markdown. For the tenant that
// `npm run seed:console` has made: set API_KEY, and ADMIN_TOKEN for the lists of the operator.

import { RARE_ADDRESS, RARE_REASON } from './seed-console.ts';

const {
  API_KEY: apiKey,
  ADMIN_TOKEN: adminToken,
  CARILLON_URL: url = 'http://localhost:3000',
  CARILLON_INTERNAL_URL: internalUrl = url,
} = process.env;
if (!apiKey || !adminToken) {
  console.error('Set API_KEY and ADMIN_TOKEN; CARILLON_URL and CARILLON_INTERNAL_URL have defaults.');
  process.exit(1);
}

const LIMIT_MS = 300;
const REQUESTS = 20;
const DEEP_PAGES = 20;
const DAY_MS = 24 * 3_600_000;

const daysAgo = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
const window = `created_from=${daysAgo(15)}&created_to=${daysAgo(14)}`;

interface Answer {
  data: Record<string, unknown>[];
  next_cursor?: string | null;
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const isInternal = path.startsWith('/internal');
  const response = await fetch((isInternal ? internalUrl : url) + path, {
    headers: { ...(isInternal ? { 'X-Admin-Token': adminToken! } : { 'X-API-Key': apiKey! }), ...headers },
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Answer;
}

/** The milliseconds that 95 of 100 requests do not exceed, and their median. */
async function measure(path: string, headers?: Record<string, string>): Promise<{ p50: number; p95: number }> {
  await get(path, headers);
  const times: number[] = [];
  for (let n = 0; n < REQUESTS; n += 1) {
    const startedAt = performance.now();
    await get(path, headers);
    times.push(performance.now() - startedAt);
  }
  times.sort((left, right) => left - right);
  return { p50: times[Math.floor(REQUESTS / 2)]!, p95: times[Math.ceil(REQUESTS * 0.95) - 1]! };
}

const withParameter = (path: string, parameter: string): string => path + (path.includes('?') ? '&' : '?') + parameter;

/** The path of a page far from the first; null if there are not so many pages. */
async function deepPage(path: string, headers?: Record<string, string>): Promise<string | null> {
  let cursor: string | null = null;
  for (let page = 0; page < DEEP_PAGES; page += 1) {
    const at: string = cursor === null ? path : withParameter(path, `cursor=${encodeURIComponent(cursor)}`);
    cursor = (await get(at, headers)).next_cursor ?? null;
    if (cursor === null) return null;
  }
  return withParameter(path, `cursor=${encodeURIComponent(cursor!)}`);
}

const first = async (path: string): Promise<string> => String((await get(`${path}?limit=1`)).data[0]?.['id']);
const account = await first('/api/v1/provider-accounts');
const webhook = await first('/api/v1/webhooks');
const { data: uploads } = await get('/api/v1/jobs?kind=upload&limit=1');
const notification = await first('/api/v1/notifications');
const tenant = String((await get('/internal/tenants?limit=1')).data[0]?.['id']);

/** Each with its filters; the empty one is the list itself. */
const lists: Record<string, string[]> = {
  '/api/v1/deliveries': [
    '',
    'state=failed',
    'state=failed,bounced',
    'state=waiting',
    'state=sending',
    'state=sent',
    `reason=${RARE_REASON}`,
    'reason=frequency_cap',
    'reason=provider_down',
    `address=${RARE_ADDRESS}`,
    'address=user-17@example.com',
    'address=nobody@example.com',
    'recipient_id=user-1',
    'recipient_id=user-17',
    'recipient_id=user-1&state=failed',
    'recipient_id=nobody',
    'channel=chat',
    'channel=chat&state=expired',
    'category=surveys',
    'category=none',
    'template=invoice',
    'template=none',
    `notification_id=${notification}`,
    `provider_account_id=${account}`,
    `provider_account_id=${notification}`,
    window,
    `${window}&state=failed`,
    `${window}&category=surveys&channel=chat`,
    `created_to=${daysAgo(200)}`,
  ],
  '/api/v1/notifications': [
    '',
    'status=failed',
    'status=active',
    'status=pending',
    'status=suppressed',
    'recipient_id=user-1',
    'recipient_id=nobody',
    'channel=chat',
    'channel=webhook',
    'category=surveys',
    'category=none',
    'type=invoice',
    'type=none',
    'topic=topic-1',
    'deleted=true',
    `created_after=${daysAgo(15)}&created_before=${daysAgo(14)}`,
    `created_before=${daysAgo(200)}`,
    'metadata[order]=77',
  ],
  '/api/v1/recipients': [
    '',
    'email=user-17@example.com',
    'email=nobody@example.com',
    'phone=%2B155500000017',
    'email=user-17@example.com&phone=%2B155500000017',
  ],
  '/api/v1/templates': ['', 'channel=email'],
  '/api/v1/provider-accounts': [''],
  '/api/v1/topics': [''],
  '/api/v1/topics/topic-1/subscriptions': [''],
  '/api/v1/jobs': ['', 'state=failed', 'kind=upload'],
  [`/api/v1/jobs/${uploads[0]?.['id']}/errors`]: [''],
  '/api/v1/schedules': [''],
  '/api/v1/categories': [''],
  '/api/v1/webhooks': [''],
  [`/api/v1/webhooks/${webhook}/deliveries`]: [''],
  '/api/v1/dead-letters': ['', `reason=${RARE_REASON}`, 'channel=chat', 'unreplayed=true', 'code=99'],
  '/api/v1/suppressions': ['', 'channel=email'],
  '/api/v1/inbox': [''],
  '/internal/tenants': [''],
  [`/internal/tenants/${tenant}/api-keys`]: [''],
  '/internal/dlq': ['', `reason=${RARE_REASON}`],
  '/internal/audit': ['', 'actor=operator', 'action=template.changed', 'action=tenant.created'],
  '/internal/poison-messages': [''],
};
const single = [
  '/api/v1/dead-letters/count',
  `/api/v1/dead-letters/count?reason=${RARE_REASON}`,
  `/api/v1/statistics?interval=day&from=${daysAgo(30)}`,
  `/api/v1/statistics?interval=hour&from=${daysAgo(16)}`,
  '/api/v1/statistics?interval=hour',
  `/internal/statistics?interval=day&from=${daysAgo(30)}`,
  '/internal/overview',
];

let slow = 0;
function report(path: string, page: string, { p50, p95 }: { p50: number; p95: number }): void {
  if (p95 > LIMIT_MS) slow += 1;
  const shown = path.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…');
  console.log(`| \`${shown}\` | ${page} | ${p50.toFixed(0)} | ${p95.toFixed(0)}${p95 > LIMIT_MS ? ' **slow**' : ''} |`);
}

console.log('| list | page | p50 ms | p95 ms |\n|---|---|---|---|');
for (const [path, filters] of Object.entries(lists)) {
  const headers: Record<string, string> = path === '/api/v1/inbox' ? { 'X-Recipient-ID': 'user-1' } : {};
  for (const filter of filters) {
    const full = filter === '' ? path : `${path}?${filter}`;
    report(full, 'first', await measure(full, headers));
    const deep = await deepPage(full, headers);
    if (deep !== null) report(full, `after ${DEEP_PAGES}`, await measure(deep, headers));
  }
}
for (const path of single) report(path, '', await measure(path));
console.log(slow === 0 ? `\nAll within ${LIMIT_MS} ms.` : `\n${slow} beyond ${LIMIT_MS} ms.`);
