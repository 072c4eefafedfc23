// Explain equals what then happens: for random tenants, recipients and sends, what explain answers is compared with the
// first run of the real pipeline for the same send.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '#testing';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

/** More by hand: EXPLAIN_CASES=1000, and EXPLAIN_SEED to repeat a failure. */
const CASES = Number(process.env['EXPLAIN_CASES'] ?? 120);
const AT_ONCE = 12;
/** Clocks, and the time between the explanation and the first run. */
const TOLERANCE_MS = 30_000;
const UNDECIDED_MS = 3_000;
/** Quiet hours release over this time, and quotas over 300 s. */
const SPREAD_MS = 300_000;

let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { PUBLIC_URL: 'https://notify.example.com' } });
  for (const [channel, locale, key, content] of TEMPLATES) {
    const { status, body } = await app.operator('POST', '/internal/templates', { key, channel, locale, content });
    expect([status, body.detail]).toEqual([201, undefined]);
  }
});
afterAll(() => app?.stop());

/** Of the platform, so that every tenant has them: channel, locale, key, content. */
const TEMPLATES = [
  ...['en', 'de'].flatMap((locale) => [
    ['email', locale, 'hello', { subject: `${locale} {{name}}`, text: '{{recipient.id}} {{unsubscribe_url}}' }],
    ['sms', locale, 'hello', { text: `${locale} {{name}}` }],
  ]),
  ['in_app', 'en', 'hello', { title: 'Hello', body: '{{name}}' }],
  ['email', 'en', 'digest', { subject: '{{count}}', text: '{{count}}' }],
  ['in_app', 'en', 'digest', { title: '{{count}}', body: '{{count}}' }],
] as const;

const CHANNELS = ['email', 'sms', 'in_app'] as const;
const ZONES = ['UTC', 'Europe/Paris', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Auckland', 'Australia/Lord_Howe'];
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

const sometimes = <T>(value: fc.Arbitrary<T>, weight = 2): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const channel = fc.constantFrom(...CHANNELS);
const zone = fc.constantFrom(...ZONES);

/**
 * Zones differ by multiples of 15 minutes, so the boundaries of these hours are at least five minutes from now in every
 * zone: none passes between the explanation and the send.
 */
const boundary = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 3 })).map(([hour, quarter]) => {
  const minute = (((new Date().getMinutes() + 7) % 15) + 15 * quarter) % 60;
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
});
const hours = fc.record({
  timezone: sometimes(zone),
  windows: fc.array(
    fc
      .record({ days: fc.subarray(DAYS, { minLength: 3 }), from: boundary, to: boundary })
      .filter(({ from, to }) => from !== to),
    { minLength: 1, maxLength: 2 },
  ),
});
const cap = fc
  .record({
    channel: sometimes(channel, 1),
    category: sometimes(fc.constantFrom('news', 'other')),
    limit: fc.integer({ min: 1, max: 3 }),
    window: fc.constantFrom({ window_seconds: 3_600 }, { per: 'day' }),
    on_excess: fc.constantFrom('hold', 'drop', 'downgrade'),
  })
  .map(({ window, ...rest }) => ({ ...rest, ...window }));
const digest = fc
  .oneof(fc.constant({ window_seconds: 600 }), fc.record({ at_local: boundary }))
  .map((due) => ({ ...due, template_id: 'digest' }));
const choices = fc.record({
  channels: fc.dictionary(channel, fc.boolean(), { maxKeys: 2 }),
  categories: fc.dictionary(
    fc.constantFrom('news', 'other'),
    fc.record({
      enabled: sometimes(fc.boolean()),
      channels: sometimes(fc.dictionary(channel, fc.boolean(), { maxKeys: 2 })),
    }),
    { maxKeys: 1 },
  ),
});

const settings = fc.record({
  timezone: sometimes(zone),
  locale: sometimes(fc.constantFrom('en', 'de')),
  quiet_hours: sometimes(hours, 4),
  quiet_hours_floor: sometimes(
    hours.map((one) => ({ sms: one })),
    5,
  ),
  caps: sometimes(fc.array(cap, { minLength: 1, maxLength: 2 })),
  recipient_limits: sometimes(
    channel.map((id) => ({ [id]: { limit: 2, window_seconds: 600 } })),
    4,
  ),
  deliveries_per_day: sometimes(fc.integer({ min: 1, max: 4 }), 6),
});

const world = fc.record({
  settings,
  rules: sometimes(fc.record({ defaults: choices, enforced: choices })),
  category: sometimes(
    fc.record({
      name: fc.constant('News'),
      default_enabled: fc.boolean(),
      mandatory: fc.boolean(),
      bypass_quiet_hours: fc.boolean(),
      bypass_caps: fc.boolean(),
      on_hold: fc.constantFrom('hold', 'combine', 'downgrade', 'drop'),
      digest: sometimes(digest, 3),
      on_cap: fc.constantFrom(null, 'hold', 'downgrade', 'drop'),
    }),
    1,
  ),
  profile: fc.record({
    locale: sometimes(fc.constantFrom('en', 'de', 'fr-CA')),
    timezone: sometimes(zone),
    attributes: fc.constantFrom({}, { city: 'Bern' }),
  }),
  preferences: sometimes(
    fc
      .tuple(choices, sometimes(hours), sometimes(fc.array(cap, { minLength: 1, maxLength: 2 })))
      .map(([chosen, quiet, caps]) => ({ ...chosen, ...(quiet && { quiet_hours: quiet }), ...(caps && { caps }) })),
  ),
  suppressed: sometimes(fc.constantFrom('email', 'sms'), 5),
  account: sometimes(fc.constantFrom('email', 'sms')),
  earlier: fc.array(channel, { maxLength: 3 }),
  send: fc.record({
    channels: fc.uniqueArray(channel, { minLength: 1, maxLength: 3 }),
    category: fc.constantFrom('news', 'other', 'default'),
    content: fc.constantFrom('template', 'inline', 'unknown variable', 'too long'),
    inline: fc.boolean(),
    scheduled: sometimes(fc.constantFrom(3_600_000, 86_400_000), 8),
    expires: sometimes(fc.constant(1_800_000), 8),
  }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const EMAIL = 'Ok@simulator.test';
const PHONE = '+15005550000';

const CONTENT: Record<string, (text: string) => Record<string, string>> = {
  email: (text) => ({ subject: 'Hello', text }),
  sms: (text) => ({ text }),
  in_app: (text) => ({ title: 'Hello', body: text }),
};

/** Inline content has the fields of one channel. */
function contentOf({ content, channels }: World['send']): Record<string, unknown> {
  const [only, ...others] = channels as [string, ...string[]];
  if (content === 'template' || others.length > 0) return { template_id: 'hello' };
  const text = { inline: 'Hello {{name}}', 'unknown variable': '{{nothing}}', 'too long': '{{long}}' }[content];
  return { content: CONTENT[only]!(text ?? 'Hello') };
}

function bodyOf({ send, profile }: World): Record<string, unknown> {
  const recipient = send.inline
    ? { recipient: { id: 'ann', email: EMAIL, phone: PHONE, ...profile } }
    : { recipient_id: 'ann' };
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
  return {
    ...recipient,
    channels: send.channels,
    category: send.category,
    payload: { name: 'Ann', long: 'x'.repeat(5_000) },
    ...contentOf(send),
    ...(send.scheduled && { scheduled_at: at(send.scheduled) }),
    ...(send.expires && !send.scheduled && { expires_at: at(send.expires) }),
  };
}

async function accept(tenant: Tenant, method: string, path: string, body: unknown): Promise<void> {
  const { status, body: answer } = await tenant.call(method, path, body as Json);
  if (status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer)} for ${JSON.stringify(body)}`);
}

/** Null if the API refuses the settings or the preferences: hours that leave no time free. */
async function build(given: World): Promise<Tenant | null> {
  const tenant = await app.tenant();
  const { status, body } = await app.operator('PATCH', `/internal/tenants/${tenant.id}`, { settings: given.settings });
  if (status === 422) return null;
  if (status !== 200) throw new Error(`settings: ${JSON.stringify(body)} for ${JSON.stringify(given.settings)}`);
  if (given.rules) await accept(tenant, 'PUT', '/api/v1/preference-rules', given.rules);
  if (given.category) await accept(tenant, 'PUT', '/api/v1/categories/news', given.category);
  await accept(tenant, 'PUT', '/api/v1/recipients/ann', { email: EMAIL, phone: PHONE, ...given.profile });
  if (given.account) {
    const account = { name: 'Main', provider: 'sandbox', channel: given.account, credentials: {} };
    await accept(tenant, 'POST', '/api/v1/provider-accounts', account);
  }
  for (const id of given.earlier) {
    const sent = await tenant.send({
      recipient_id: 'ann',
      channel: id,
      category: 'news',
      content: CONTENT[id]!('x'),
    });
    await settled(tenant, sent.deliveries[0].id);
  }
  if (given.preferences) {
    const path = '/api/v1/recipients/ann/preferences';
    if ((await tenant.call('PUT', path, given.preferences as Json)).status !== 200) return null;
  }
  if (given.suppressed) {
    const address = given.suppressed === 'email' ? EMAIL : PHONE;
    await accept(tenant, 'POST', '/api/v1/suppressions', { channel: given.suppressed, address });
  }
  return tenant;
}

/** The delivery after the first run of the pipeline, or as it waits for its time. */
async function settled(tenant: Tenant, id: string): Promise<Json> {
  return await until(
    'the first run has ended',
    async () => {
      const found = await tenant.delivery(id);
      if (found.state === 'sending') return false;
      // It is decided again, because the quiet hours were changed a moment before.
      if (found.state === 'waiting' && found.due_at !== null && Date.parse(found.due_at) <= Date.now()) return false;
      // It is decided again in 2 s: Redis knew no sends of this tenant, and another delivery was in progress.
      const isUndecided = found.reason === 'frequency_cap' && Date.parse(found.due_at) < Date.now() + UNDECIDED_MS;
      if (found.state === 'waiting' && isUndecided) return false;
      const isHeld = found.timeline.some(({ code }: Json) => code === 'held');
      return (found.state !== 'waiting' || isHeld || found.reason === 'scheduled') && found;
    },
    30_000,
  );
}

const SENT = ['sent', 'delivered'];

interface Seen {
  channel: string;
  state: string;
  reason: string | null;
  rule: string | null;
  detail: string | null;
  version: number | null;
  due: number | null;
}

function ofExplanation(one: Json): Seen {
  return {
    channel: one.channel,
    state: one.state,
    reason: one.reason,
    rule: one.rule,
    detail: one.detail,
    version: one.state === 'sent' ? one.template_version : null,
    due: one.due_at === null ? null : Date.parse(one.due_at),
  };
}

/** `expiresAt`: of the notification. */
function ofDelivery(one: Json, expiresAt: string | null): Seen {
  const decided = one.timeline.findLast(
    ({ code }: Json) => code !== 'sent' && code !== 'attempt' && code !== 'delivered',
  );
  const isSent = SENT.includes(one.state);
  return {
    channel: one.channel,
    state: isSent ? 'sent' : one.state,
    reason: isSent ? null : one.reason,
    rule: isSent ? null : decided.rule,
    detail: isSent ? null : decided.detail,
    version: isSent ? one.template_version : null,
    due: dueOf(one, decided?.until, expiresAt),
  };
}

/** Items of a digest that another one leads have no time of their own: they leave with it, or expire. */
function dueOf({ state, due_at: dueAt }: Json, until: string | null, expiresAt: string | null): number | null {
  if (dueAt !== null) return Date.parse(dueAt);
  if (state !== 'waiting' || !until) return null;
  return Math.min(Date.parse(until), expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt));
}

/** Why the delivery is not as it was explained, or null. */
function difference(explained: Seen, happened: Seen): string | null {
  const { due: expected, ...fields } = explained;
  const { due, ...real } = happened;
  const [left, right] = [JSON.stringify(fields), JSON.stringify(real)];
  if (left !== right) return `explained ${left}, happened ${right}`;
  if (expected === null || due === null) return expected === due ? null : `due ${expected}, happened ${due}`;
  const late = due - expected;
  return late < -TOLERANCE_MS || late > SPREAD_MS + TOLERANCE_MS ? `due ${late} ms after the explained time` : null;
}

async function check(given: World): Promise<string[]> {
  const tenant = await build(given);
  if (!tenant) return [];
  const body = bodyOf(given);
  const explained = await tenant.call('POST', '/api/v1/notifications/explain', body as Json);
  const sent = await tenant.call('POST', '/api/v1/notifications', body as Json);
  if (sent.status !== 202) {
    const same = JSON.stringify(explained.body.errors) === JSON.stringify(sent.body.errors);
    return same && explained.status === sent.status ? [] : [`explain ${explained.status}, send ${sent.status}`];
  }
  if (explained.status !== 200) return [`explain answered ${JSON.stringify(explained.body)}`];
  for (const { id } of sent.body.deliveries) await settled(tenant, id);
  const { deliveries: made, expires_at: expiresAt } = await tenant.notification(sent.body.id);
  const all = await Promise.all(made.map(({ id }: Json) => settled(tenant, id)));
  const happened = all.map((one) => ofDelivery(one, expiresAt));
  const expected = (explained.body.deliveries as Json[]).map(ofExplanation);
  // Several channels compete for the last place of a limit, and any may win.
  const isRace =
    expected.length > 1 && (given.settings.caps || given.preferences?.caps || given.settings.deliveries_per_day);
  if (isRace) {
    // One that fails, or that a quota refuses, holds its place until then, and another one may miss it. In the
    // explanation, one that would fail may have lost the place to another one: it has errors.
    const mayFail = ({ state, reason, errors }: Json): boolean =>
      state === 'failed' || reason === 'quota' || errors.length > 0;
    if (explained.body.deliveries.some(mayFail)) return [];
    const [left, right] = [expected, happened].map((list) =>
      list
        .map(({ state }) => state)
        .sort()
        .join(),
    );
    return left === right ? [] : [`explained ${left}, happened ${right}`];
  }
  if (expected.length !== happened.length) return [`explained ${expected.length} deliveries, made ${happened.length}`];
  return expected.flatMap((one) => {
    const other = happened.find((delivery) => delivery.channel === one.channel);
    return (other ? difference(one, other) : `no delivery on ${one.channel}`) ?? [];
  });
}

it(`explain equals what then happens, for ${CASES} random sends`, async () => {
  const seed = Number(process.env['EXPLAIN_SEED'] ?? Date.now() % 1_000_000);
  const worlds = fc.sample(world, { numRuns: CASES, seed });
  const wrong: string[] = [];
  const states = new Map<string, number>();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < worlds.length; at = next++) {
      const given = JSON.parse(JSON.stringify(worlds[at])) as World;
      const found = await check(given);
      if (found.length > 0) wrong.push(`seed ${seed}, case ${at}: ${found.join('; ')}\n${JSON.stringify(given)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { rows } = await app.sql.query<{ state: string; reason: string | null; deliveries: number }>(
    `select coalesce(q.reason, d.reason, d.state) as state, count(*)::int as deliveries
     from deliveries d left join due_deliveries q on q.delivery_id = d.id group by 1`,
  );
  for (const { state, deliveries } of rows) states.set(state, deliveries);
  expect(wrong.slice(0, 5).join('\n\n')).toBe('');
  // The cases reach the decisions that they are about.
  for (const state of [
    'quiet_hours',
    'frequency_cap',
    'opted_out',
    'suppression_list',
    'render_error',
    'digest',
    'delivered',
  ])
    expect([...states.keys()]).toContain(state);
}, 600_000);
