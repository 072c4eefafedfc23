// For each route a request about something that exists.

import type { Route } from './openapi-routes.js';
import type { OperatorExamples, TenantExamples } from './seed-tenant.ts';

export type Examples = TenantExamples &
  OperatorExamples & { unsubscribeToken: string; preferencesToken: string; consoleKey: string };

/** A request without credentials. */
export interface ExampleRequest {
  path: string;
  body: unknown;
  /** The ids in it, in the path, the body or X-Recipient-ID. */
  ids: string[];
}

/** By path up to and including the parameter. */
const PARAMETERS: Record<string, keyof Examples> = {
  '/api/v1/notifications/{id}': 'notification',
  '/api/v1/deliveries/{id}': 'delivery',
  '/api/v1/recipients/{id}': 'recipient',
  '/api/v1/recipients/{id}/devices/{token}': 'deviceToken',
  '/api/v1/templates/{id}': 'template',
  '/api/v1/provider-accounts/{id}': 'providerAccount',
  '/api/v1/categories/{key}': 'category',
  '/api/v1/schedules/{id}': 'schedule',
  '/api/v1/suppressions/{id}': 'suppression',
  '/api/v1/topics/{key}': 'topic',
  '/api/v1/topics/{key}/subscriptions/{recipient_id}': 'recipient',
  '/api/v1/jobs/{id}': 'job',
  '/api/v1/dead-letters/{id}': 'ownDeadLetter',
  '/api/v1/dead-letters/replay/{id}': 'replay',
  '/api/v1/webhooks/{id}': 'webhook',
  '/api/v1/mailbox/{id}': 'mailboxMessage',
  '/api/v1/inbox/{id}': 'inboxItem',
  '/internal/tenants/{id}': 'tenant',
  '/internal/tenants/{id}/api-keys/{keyId}': 'apiKey',
  '/internal/dlq/{id}': 'deadLetter',
  '/internal/dlq/replay/{id}': 'operatorReplay',
  '/internal/provider-accounts/{id}': 'platformProviderAccount',
  '/internal/templates/{id}': 'platformTemplate',
  '/receipts/{provider}/{account_id}': 'providerAccount',
  '/unsubscribe/{token}': 'unsubscribeToken',
  '/preferences/{token}': 'preferencesToken',
};

const EMAIL = { subject: 'Made', text: 'Made' };
const ACCOUNT = { name: 'Made', provider: 'sandbox', channel: 'email', credentials: {} };

/** Bodies that the route accepts. */
const BODIES: Record<string, (examples: Examples) => unknown> = {
  'POST /api/v1/notifications': ({ recipient, template }) => ({
    recipient_id: recipient,
    recipient_address: 'ok@simulator.test',
    channel: 'email',
    template_id: template,
  }),
  'POST /api/v1/notifications/explain': ({ recipient, template }) => ({
    recipient_id: recipient,
    recipient_address: 'ok@simulator.test',
    channel: 'email',
    template_id: template,
  }),
  'POST /api/v1/notifications/bulk': ({ recipient, template }) => ({
    channel: 'email',
    template_id: template,
    recipients: [{ recipient_id: recipient, recipient_address: 'ok@simulator.test' }],
  }),
  'POST /api/v1/notifications/stream': ({ recipient, template }) =>
    [
      { channel: 'email', template_id: template },
      { recipient_id: recipient, recipient_address: 'ok@simulator.test' },
    ]
      .map((line) => JSON.stringify(line))
      .join('\n'),
  'POST /api/v1/email': () => ({ message: 'Made', recipient: 'ok@simulator.test' }),
  'POST /api/v1/sms': () => ({ message: 'Made', recipient: '+15005550000' }),
  'POST /api/v1/slack': () => ({ message: 'Made' }),
  'POST /api/v1/deliveries/{id}/settle': () => ({ state: 'sent' }),
  'POST /api/v1/recipients/bulk': ({ recipient }) => ({ recipients: [{ id: recipient, locale: 'en' }] }),
  'POST /api/v1/recipients/bulk/explain': ({ recipient }) => ({ recipients: [{ id: recipient, locale: 'en' }] }),
  'PUT /api/v1/recipients/{id}': () => ({ locale: 'en' }),
  'PATCH /api/v1/recipients/{id}': () => ({ locale: 'en' }),
  'POST /api/v1/recipients/{id}/devices': () => ({ token: 'made', platform: 'ios' }),
  'PUT /api/v1/recipients/{id}/preferences': () => ({ channels: { sms: false } }),
  'POST /api/v1/recipients/{id}/preferences-link': () => ({}),
  'PUT /api/v1/preferences': () => ({ channels: { sms: false } }),
  'PUT /api/v1/preference-rules': () => ({ defaults: { channels: { chat: false } } }),
  'POST /api/v1/recipients/{id}/inbox-token': () => ({}),
  'POST /api/v1/templates': () => ({ key: 'made', channel: 'email', content: EMAIL }),
  'PUT /api/v1/templates/{id}': () => ({ content: EMAIL }),
  'POST /api/v1/templates/{id}/preview': () => ({}),
  'POST /api/v1/templates/preview': () => ({ channel: 'email', content: EMAIL }),
  'POST /api/v1/templates/{id}/rollback': () => ({ version: 1 }),
  'POST /api/v1/provider-accounts': () => ACCOUNT,
  'PATCH /api/v1/provider-accounts/{id}': () => ({ name: 'Changed' }),
  'PUT /api/v1/categories/{key}': () => ({ name: 'Changed' }),
  'PUT /api/v1/topics/{key}': () => ({ name: 'Changed' }),
  'POST /api/v1/topics/{key}/subscriptions': ({ recipient }) => ({ recipient_ids: [recipient] }),
  'POST /api/v1/topics/{key}/unsubscribe': () => ({ recipient_ids: ['nobody'] }),
  'PUT /api/v1/topics/{key}/subscriptions/{recipient_id}': () => ({ channels: ['email'] }),
  'PATCH /api/v1/jobs/{id}': () => ({ pace_per_second: 10 }),
  'POST /api/v1/dead-letters/replay': () => ({ filter: { channel: 'chat' } }),
  'POST /api/v1/schedules': ({ recipient }) => ({
    rrule: 'FREQ=YEARLY',
    timezone: 'UTC',
    notification: { recipient_id: recipient, channel: 'in_app', content: { title: 'Made', body: 'Made' } },
  }),
  'PATCH /api/v1/schedules/{id}': () => ({ misfire: 'skip' }),
  'POST /api/v1/suppressions': () => ({ channel: 'email', address: 'made@example.com' }),
  'POST /api/v1/webhooks': () => ({ url: 'https://example.com/made', events: ['inbox.item_read'] }),
  'PATCH /api/v1/webhooks/{id}': () => ({ description: 'Changed' }),
  'POST /api/v1/webhooks/{id}/replay': () => ({ since: new Date().toISOString(), only: 'failed' }),
  'POST /console/session': ({ consoleKey }) => ({ api_key: consoleKey }),
  'POST /internal/tenants': () => ({ name: 'Made' }),
  'PATCH /internal/tenants/{id}': () => ({ name: 'Changed' }),
  'POST /internal/tenants/{id}/api-keys': () => ({ name: 'Made' }),
  'POST /internal/dlq/replay': () => ({ filter: { channel: 'chat' } }),
  'PATCH /internal/dlq/replay/{id}': () => ({ pace_per_second: 10 }),
  'POST /internal/templates/preview': () => ({ channel: 'email', content: EMAIL }),
  'POST /internal/templates': () => ({ key: 'made', channel: 'email', content: EMAIL }),
  'PUT /internal/templates/{id}': () => ({ content: EMAIL }),
  'POST /internal/templates/{id}/rollback': () => ({ version: 1 }),
  'POST /internal/provider-accounts': () => ({ ...ACCOUNT, enabled: false }),
  'PATCH /internal/provider-accounts/{id}': () => ({ name: 'Changed' }),
};

/** Throws when the route has a parameter or a body without an example. */
export function exampleOf(route: Route, examples: Examples): ExampleRequest {
  let ids: string[] = [];
  const path = route.path.replaceAll(/\{(\w+)\}/g, (placeholder, name: string, at: number) => {
    if (name === 'provider') return 'sandbox';
    const example = PARAMETERS[route.path.slice(0, at + placeholder.length)];
    if (!example) throw new Error(`${route.name}: test/access/examples.ts has no example of {${name}}`);
    ids.push(examples[example]);
    return encodeURIComponent(examples[example]);
  });
  const bodyOf = BODIES[route.name];
  if (route.hasBody && !bodyOf) throw new Error(`${route.name}: test/access/examples.ts has no body`);
  const body = bodyOf?.(examples) ?? (route.method === 'GET' || route.method === 'DELETE' ? undefined : {});
  const text = JSON.stringify(body ?? {});
  if (route.access === 'recipient') ids.push(examples.recipient);
  ids = [...ids, ...Object.values(examples).filter((value) => text.includes(value))];
  return { path: path === '/api/v1/inbox/stream' ? `${path}?since=0` : path, body, ids };
}

/** Ids of the same form of which nothing exists. */
export function missingLike(examples: Examples): Examples {
  return Object.fromEntries(
    Object.entries(examples).map(([name, value]) => [
      name,
      /^[0-9a-f-]{36}$/.test(value) ? '01900000-0000-7000-8000-000000000000' : `missing-${name}`,
    ]),
  ) as unknown as Examples;
}
