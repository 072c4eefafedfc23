// Creates one of everything over HTTP, for the attack matrix and for `npm run fuzz`.

import { setTimeout as delay } from 'node:timers/promises';

/** One request. Returns the status and the parsed body. */
export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
  // biome-ignore lint/suspicious/noExplicitAny: the answers are read field by field
) => Promise<{ status: number; body: any }>;

/** Ids of things that exist. */
export interface TenantExamples {
  recipient: string;
  deviceToken: string;
  category: string;
  topic: string;
  /** The job of a send to the topic that is not due yet. */
  job: string;
  template: string;
  providerAccount: string;
  schedule: string;
  suppression: string;
  webhook: string;
  notification: string;
  delivery: string;
  mailboxMessage: string;
  inboxItem: string;
  ownDeadLetter: string;
  /** A replay that has ended. */
  replay: string;
}

export interface OperatorExamples {
  tenant: string;
  apiKey: string;
  deadLetter: string;
  /** A replay that has ended. */
  operatorReplay: string;
  platformProviderAccount: string;
  platformTemplate: string;
}

const DEADLINE_MS = 20_000;
const PAUSE_MS = 50;

/** Everything that is created has the mark in its text. */
export async function seedTenant(call: Call, mark: string): Promise<TenantExamples> {
  const settings = await seedSettings(call, mark);
  return { ...settings, ...(await seedSends(call, mark, settings)) };
}

type TenantSettings = Pick<
  TenantExamples,
  | 'recipient'
  | 'deviceToken'
  | 'category'
  | 'topic'
  | 'template'
  | 'providerAccount'
  | 'schedule'
  | 'suppression'
  | 'webhook'
>;

async function seedSettings(call: Call, mark: string): Promise<TenantSettings> {
  const make = makerOf(call);
  const [recipient, deviceToken, category] = [`person-${mark}`, `device-${mark}`, `category-${mark}`];
  const profile = `/api/v1/recipients/${recipient}`;
  await make('PUT', profile, { email: `${mark}@example.com`, attributes: { note: mark } });
  await make('POST', `${profile}/devices`, { token: deviceToken, platform: 'ios' });
  // A category of the tenant, and one that only this recipient has chosen: no other recipient may see it.
  const chosen = { [category]: { enabled: true }, [`chosen-${mark}`]: { enabled: true } };
  await make('PUT', `${profile}/preferences`, { categories: chosen });
  await make('PUT', `/api/v1/categories/${category}`, { name: `Category ${mark}` });
  const template = await make('POST', '/api/v1/templates', {
    key: `template-${mark}`,
    channel: 'email',
    content: { subject: `Subject ${mark}`, text: `Text ${mark}` },
  });
  const account = await make('POST', '/api/v1/provider-accounts', {
    name: `Account ${mark}`,
    provider: 'sandbox',
    channel: 'email',
    credentials: {},
  });
  // For another recipient, because erasing one deletes their schedules.
  const schedule = await make('POST', '/api/v1/schedules', {
    rrule: 'FREQ=YEARLY',
    timezone: 'UTC',
    notification: { recipient_id: `scheduled-${mark}`, channel: 'in_app', content: { title: mark, body: mark } },
  });
  const suppression = await make('POST', '/api/v1/suppressions', {
    channel: 'email',
    address: `${mark}@suppressed.example.com`,
  });
  const webhook = await make('POST', '/api/v1/webhooks', {
    url: `https://example.com/${mark}`,
    events: ['inbox.item_read'],
    description: mark,
  });
  const topic = `topic-${mark}`;
  await make('PUT', `/api/v1/topics/${topic}`, { name: `Topic ${mark}` });
  await make('PUT', `/api/v1/topics/${topic}/subscriptions/${recipient}`, {});
  return {
    recipient,
    deviceToken,
    category,
    topic,
    template: template.id,
    providerAccount: account.id,
    schedule: schedule.id,
    suppression: suppression.id,
    webhook: webhook.id,
  };
}

async function seedSends(
  call: Call,
  mark: string,
  { recipient, topic, template }: TenantSettings,
): Promise<Omit<TenantExamples, keyof TenantSettings>> {
  const make = makerOf(call);
  const email = { recipient_id: recipient, channel: 'email', template_id: template, metadata: { note: mark } };
  await make('POST', '/api/v1/notifications', email);
  await make('POST', '/api/v1/notifications', {
    recipient_id: recipient,
    channel: 'in_app',
    content: { title: `Title ${mark}`, body: mark },
  });
  const tomorrow = new Date(Date.now() + 24 * 3_600_000).toISOString();
  // It stays as it is, so that answers can be compared.
  const notification = await make('POST', '/api/v1/notifications', { ...email, scheduled_at: tomorrow });
  const topicSend = await make('POST', '/api/v1/notifications', {
    topic,
    channel: 'email',
    template_id: template,
    scheduled_at: tomorrow,
  });
  await make('POST', '/api/v1/notifications', {
    recipient_id: `rejected-${mark}`,
    recipient_address: '+15005550004',
    channel: 'sms',
    content: { text: mark },
  });
  const letter = await firstOf(call, '/api/v1/dead-letters?channel=sms');
  const replay = await make('POST', '/api/v1/dead-letters/replay', { filter: { channel: 'chat' } });
  await firstOf(call, '/api/v1/jobs?kind=dead_letter_replay&state=finished');
  return {
    job: topicSend.id,
    notification: notification.id,
    delivery: notification.deliveries[0].id,
    mailboxMessage: (await firstOf(call, '/api/v1/mailbox?channel=email')).id,
    ownDeadLetter: letter.id,
    replay: replay.id,
    inboxItem: (await firstOf(call, '/api/v1/inbox', { 'X-Recipient-ID': recipient })).id,
  };
}

/** `call` is the tenant's, with a key that may send. */
export async function seedOperator(operator: Call, call: Call, tenant: string): Promise<OperatorExamples> {
  const make = makerOf(operator);
  const key = await make('POST', `/internal/tenants/${tenant}/api-keys`, { name: 'Not used' });
  const account = await make('POST', '/internal/provider-accounts', {
    name: 'Platform',
    provider: 'sandbox',
    channel: 'email',
    enabled: false,
    credentials: {},
  });
  await makerOf(call)('POST', '/api/v1/notifications', {
    recipient_id: 'rejected',
    recipient_address: 'rejected@simulator.test',
    channel: 'email',
    content: { subject: 'Rejected', text: 'Rejected' },
  });
  const letter = await firstOf(operator, `/internal/dlq?channel=email&tenant_id=${tenant}`);
  const replay = await make('POST', '/internal/dlq/replay', { filter: { channel: 'chat' } });
  const template = await make('POST', '/internal/templates', {
    key: 'platform-template',
    channel: 'email',
    content: { subject: 'Platform', text: 'Platform' },
  });
  return {
    tenant,
    apiKey: key.id,
    deadLetter: letter.id,
    operatorReplay: replay.id,
    platformProviderAccount: account.id,
    platformTemplate: template.id,
  };
}

function makerOf(call: Call) {
  // biome-ignore lint/suspicious/noExplicitAny: the answers are read field by field
  return async (method: string, path: string, body: unknown): Promise<any> => {
    const answer = await call(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
}

/** Waits until a list has an entry. */
async function firstOf(call: Call, path: string, headers: Record<string, string> = {}): Promise<{ id: string }> {
  for (const end = Date.now() + DEADLINE_MS; Date.now() < end; await delay(PAUSE_MS)) {
    const { body } = await call('GET', path, undefined, headers);
    if (body.data?.length > 0) return body.data[0];
  }
  throw new Error(`${path} stayed empty for ${DEADLINE_MS} ms`);
}
