// Payload schemas, partials, layouts, and the platform's own templates.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { until } from '#testing';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());
beforeEach(async () => {
  tenant = await app.tenant();
});

type Body = Record<string, unknown>;

const create = (body: Body, by: Tenant = tenant) => by.call('POST', '/api/v1/templates', { channel: 'email', ...body });
const put = (key: string, body: Body, by: Tenant = tenant) => by.call('PUT', `/api/v1/templates/${key}`, body);
const get = async (key: string, by: Tenant = tenant) => (await by.call('GET', `/api/v1/templates/${key}`)).body;

async function created(body: Body, by: Tenant = tenant): Promise<Json> {
  const made = await create(body, by);
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return made.body;
}

async function platform(body: Body): Promise<Json> {
  const made = await app.operator('POST', '/internal/templates', { channel: 'email', ...body });
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return made.body;
}

const partial = (key: string, html: string, more: Body = {}) =>
  created({ key, kind: 'partial', content: { html }, ...more });
const template = (key: string, html: string, more: Body = {}) =>
  created({ key, content: { subject: 's', html }, ...more });

async function preview(key: string, payload: Body = {}, by: Tenant = tenant): Promise<Json> {
  return (await by.call('POST', `/api/v1/templates/${key}/preview`, { payload })).body;
}

/** Sends an e-mail and returns the captured message with its delivery. */
async function mail(body: Body, by: Tenant = tenant): Promise<{ message: Json; delivery: Json }> {
  const sent = await by.send({
    recipient_id: newId(),
    recipient_address: 'ok@simulator.test',
    channel: 'email',
    ...body,
  });
  const delivery = await until('the mail is sent', async () => {
    const found = await by.delivery(sent.deliveries[0].id);
    return !['waiting', 'sending'].includes(found.state) && found;
  });
  expect(['sent', 'delivered'], JSON.stringify(delivery)).toContain(delivery.state);
  const { data } = (await by.call('GET', '/api/v1/mailbox?limit=200')).body;
  return { message: data.find((one: Json) => one.delivery_id === delivery.id).message, delivery };
}

describe('a payload schema', () => {
  const payload_schema = {
    type: 'object',
    required: ['order'],
    properties: { order: { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] } },
  };
  const content = { subject: 's', text: 'Total {{order.total}}' };
  const send = (payload: Body | undefined, more: Body = {}) =>
    tenant.call('POST', '/api/v1/notifications', {
      recipient_id: newId(),
      recipient_address: 'ok@simulator.test',
      channel: 'email',
      template_id: 'order',
      payload,
      ...more,
    });

  it('is checked when it is stored, with the sample payload', async () => {
    const bad = await create({
      key: 'bad',
      content,
      payload_schema: { properties: { a: { type: 'text', pattern: '(a+)+' } }, $ref: 'https://example.com' },
    });
    expect(bad.status).toBe(422);
    expect(bad.body.errors.map(({ pointer }: Json) => pointer).sort()).toEqual([
      '/payload_schema/$ref',
      '/payload_schema/properties/a/pattern',
      '/payload_schema/properties/a/type',
    ]);
    const sample = await create({ key: 'bad', content, payload_schema, sample_payload: { order: { total: 'x' } } });
    expect(sample.body.errors).toEqual([
      { pointer: '/sample_payload/order/total', code: 'payload_schema', message: 'must be number, got "x"' },
    ]);
    const part = await create({ key: 'bad', kind: 'partial', content: { text: 'x' }, payload_schema });
    expect(part.body.errors).toMatchObject([{ pointer: '/payload_schema', code: 'not_allowed' }]);
  });

  it('refuses sends that do not match it, with every fault, and takes effect when it changes', async () => {
    await created({ key: 'order', content, payload_schema });
    expect((await send({ order: { total: 3 } })).status).toBe(202);
    const wrong = await send({ order: { total: '3' } });
    expect(wrong.body).toMatchObject({
      status: 422,
      code: 'validation_failed',
      errors: [{ pointer: '/payload/order/total', code: 'payload_schema', message: 'must be number, got "3"' }],
    });
    expect((await send(undefined)).body.errors).toMatchObject([{ pointer: '/payload/order', code: 'required' }]);
    // The same process knows the new version at once, another one within 30 seconds.
    await put('order', { content, payload_schema: { required: ['more'] } });
    expect((await send({ order: { total: 3 } })).body.errors).toMatchObject([{ pointer: '/payload/more' }]);
    await put('order', { content, payload_schema: null });
    expect((await send({ order: { total: 'x' } })).status).toBe(202);
    expect((await get('order')).payload_schema).toBeNull();
  });

  it('of every locale must match', async () => {
    await created({ key: 'order', content, payload_schema });
    await created({ key: 'order', locale: 'fr', content, payload_schema: { required: ['nom'] } });
    expect((await send({ order: { total: 3 } })).body.errors).toMatchObject([{ pointer: '/payload/nom' }]);
    expect((await send({ nom: 'x', order: { total: 3 } })).status).toBe(202);
  });

  it('rejects the items of a bulk send one by one, with the shared payload', async () => {
    await created({ key: 'order', content, payload_schema });
    const bulk = (recipients: Body[], payload?: Body) =>
      tenant.call('POST', '/api/v1/notifications/bulk', {
        channel: 'email',
        template_id: 'order',
        payload,
        recipients,
      });
    const person = () => ({ recipient_id: newId(), recipient_address: 'ok@simulator.test' });
    const some = await bulk([person(), { ...person(), payload: { order: { total: 'x' } } }], { order: { total: 1 } });
    expect(some.body.accepted).toMatchObject([{ index: 0 }]);
    expect(some.body.rejected).toMatchObject([
      { index: 1, code: 'validation_failed', errors: [{ pointer: '/payload/order/total' }] },
    ]);
    const large = { order: { total: 1 }, rows: Array(2_500).fill(1) };
    expect((await bulk([person()], large)).body.errors).toMatchObject([{ pointer: '/payload', code: 'too_large' }]);
  });
});

describe('partials', () => {
  it('a change that would write too many bytes is refused', async () => {
    const html = (first: string): string => first + 'é'.repeat(110_000);
    await partial('large', html('a'));
    for (let n = 0; n < 19; n += 1)
      await created({ key: `with-large-${n}`, content: { subject: 's', html: '{{> large}}' } });
    const change = async (content: Body) =>
      await tenant.call('PUT', '/api/v1/templates/large?channel=email&locale=en', { content });
    expect((await change({ html: html('b') })).status).toBe(200);
    await created({ key: 'with-large-20', content: { subject: 's', html: '{{> large}}' } });
    const { status, body } = await change({ html: html('c') });
    expect([status, body.errors]).toEqual([422, [expect.objectContaining({ code: 'too_large' })]]);
    expect(body.errors[0].message).toContain('included by 20 templates');
    expect(body.errors[0].message).toContain('4194304 bytes');
    expect((await tenant.call('GET', '/api/v1/templates/large?channel=email&locale=en')).body.version).toBe(2);
  });

  it('are included with a layout, as they were when the template was written, in preview and in sends', async () => {
    await partial('footer', '<i>{{company}}</i>');
    await created({ key: 'main', kind: 'layout', content: { html: '<main>{{> @content}}</main>{{> footer}}' } });
    const made = await template('hello', 'Hi {{name}}{{> footer}}', { layout: 'main' });
    expect(made).toMatchObject({ version: 1, layout: 'main', kind: 'template' });
    expect(made.includes.map(({ key, version }: Json) => [key, version])).toEqual([
      ['main', 1],
      ['footer', 1],
    ]);
    const payload = { name: '<b>', company: 'A&B' };
    const html = '<main>Hi &lt;b&gt;<i>A&amp;B</i></main><i>A&amp;B</i>';
    expect(await preview('hello', payload)).toMatchObject({ version: 1, message: { html } });
    expect((await mail({ template_id: 'hello', payload })).message.html).toBe(html);
    expect((await preview('main', payload)).message.html).toBe('<main>[content]</main><i>A&amp;B</i>');
    expect((await preview('footer', payload)).message.html).toBe('<i>A&amp;B</i>');
  });

  it('that change give every template that includes them a new version', async () => {
    await partial('inner', 'one');
    await partial('outer', '[{{> inner}}]');
    await template('hello', '{{> outer}}');
    await template('other', 'x');
    await put('inner', { content: { html: 'two' } });
    expect(await get('hello')).toMatchObject({ version: 2, content: { html: '{{> outer}}' } });
    expect((await get('other')).version).toBe(1);
    const { message, delivery } = await mail({ template_id: 'hello' });
    expect([message.html, delivery.template_version]).toEqual(['[two]', 2]);
    // The versions say what an earlier delivery used.
    const { rows } = await app.sql.query(
      `select v.includes #>> '{partials,inner,content,html}' as html from template_versions v
       join templates t on t.id = v.template_id where t.tenant_id = $1 and t.key = 'hello' order by v.version`,
      [tenant.id],
    );
    expect(rows.map((row) => row.html)).toEqual(['one', 'two']);
  });

  it('are chosen by the locale of the template, also when a better one is created later', async () => {
    await partial('footer', 'Bye');
    await template('hello', '{{> footer}}', { locale: 'fr-CA' });
    expect((await preview('hello')).message.html).toBe('Bye');
    await partial('footer', 'Salut', { locale: 'fr' });
    expect((await preview('hello')).message.html).toBe('Salut');
  });

  it('that are missing, lack the field or include themselves are errors with line and column', async () => {
    await created({ key: 'plain', kind: 'partial', content: { text: 'x' } });
    const missing = await create({ key: 'hello', content: { subject: '{{> none}}', html: '\n {{> plain}}' } });
    expect(missing.body.errors).toEqual([
      {
        pointer: '/content/subject',
        code: 'unknown_partial',
        message: 'line 1, column 1: there is no partial "none" for email',
      },
      {
        pointer: '/content/html',
        code: 'unknown_partial',
        message: 'line 2, column 2: the partial "plain" has no html',
      },
    ]);
    await partial('a', 'x');
    await partial('b', '{{> a}}');
    const cycle = await put('a', { content: { html: '{{> b}}' } });
    expect(cycle.body.errors).toEqual([
      {
        pointer: '/content/html',
        code: 'partial_cycle',
        message: 'in the partial "b", line 1, column 1: the partial "a" includes itself: a → b → a',
      },
    ]);
    expect(
      (await create({ key: 'hello', content: { subject: 's', text: 'x' }, layout: 'none' })).body.errors,
    ).toMatchObject([{ pointer: '/layout', code: 'unknown_layout' }]);
    const inline = { channel: 'email', recipient_id: 'x', recipient_address: 'a@example.com' };
    const content = { subject: 's', text: '{{> a}}' };
    expect((await tenant.call('POST', '/api/v1/notifications', { ...inline, content })).body.errors).toMatchObject([
      { pointer: '/content/text', message: expect.stringContaining('only a stored template') },
    ]);
  });

  it('cannot change so that a template no longer fits, and cannot be deleted while one includes them', async () => {
    const part = await created({ key: 'part', kind: 'partial', content: { html: 'x', text: 'x' } });
    await created({ key: 'hello', content: { subject: 's', html: '{{> part}}', text: '{{> part}}' } });
    const change = await put('part', { content: { html: 'y' } });
    expect(change.body.errors).toMatchObject([
      { pointer: '/', message: expect.stringContaining('template "hello" (en) includes it: /content/text') },
    ]);
    expect(await get('part')).toMatchObject({ version: 1 });
    const inUse = await tenant.call('DELETE', `/api/v1/templates/${part.id}`);
    expect(inUse.body).toMatchObject({ status: 409, detail: '"part" is included by template "hello" (en).' });
    await tenant.call('DELETE', '/api/v1/templates/hello');
    expect((await tenant.call('DELETE', `/api/v1/templates/${part.id}`)).status).toBe(204);
  });

  it('are no templates of a send, and a key has one kind', async () => {
    await partial('part', 'x');
    const send = await tenant.call('POST', '/api/v1/notifications', {
      channel: 'email',
      recipient_id: 'x',
      recipient_address: 'ok@simulator.test',
      template_id: 'part',
    });
    expect(send.body.code).toBe('unknown_template');
    expect((await create({ key: 'part', locale: 'fr', content: { subject: 's', text: 'x' } })).status).toBe(409);
    const layout = await create({ key: 'l', kind: 'layout', content: { html: 'x', text: '{{> @content}}' } });
    expect(layout.body.errors).toMatchObject([
      { pointer: '/content/html', message: expect.stringContaining('exactly once') },
    ]);
    expect((await create({ key: 'p', kind: 'partial', content: { body: 'x' } })).body.errors).toMatchObject([
      { pointer: '/content/body', code: 'unknown_field' },
    ]);
    expect((await create({ key: 'p', kind: 'partial', content: { html: '{{> @content}}' } })).status).toBe(422);
    const kinds = (await tenant.call('GET', '/api/v1/templates?kind=partial')).body.data;
    expect(kinds.map(({ key }: Json) => key)).toEqual(['part']);
  });

  it('of another tenant cannot be included, changed or seen', async () => {
    const stranger = await app.tenant();
    await partial('secret', 'theirs');
    expect(
      (await create({ key: 'x', content: { subject: 's', html: '{{> secret}}' } }, stranger)).body.errors,
    ).toMatchObject([{ code: 'unknown_partial' }]);
    await created({ key: 'secret', kind: 'partial', content: { html: 'mine' } }, stranger);
    await created({ key: 'x', content: { subject: 's', html: '{{> secret}}' } }, stranger);
    expect((await preview('x', {}, stranger)).message.html).toBe('mine');
    await put('secret', { content: { html: 'changed' } });
    expect((await preview('x', {}, stranger)).message.html).toBe('mine');
  });
});

describe('a template of the platform', () => {
  it('is used where the tenant has none of the key and channel, in any locale', async () => {
    const key = `welcome-${newId()}`;
    await platform({ key: `${key}-foot`, kind: 'partial', content: { text: 'the platform' } });
    await platform({ key, content: { subject: 's', text: `Hello from {{> ${key}-foot}}` } });
    await platform({ key, locale: 'fr', content: { subject: 's', text: 'Bonjour' } });
    expect((await mail({ template_id: key })).message.text).toBe('Hello from the platform');
    const french = { recipient: { id: newId(), locale: 'fr' }, recipient_id: undefined };
    expect((await mail({ template_id: key, ...french })).message.text).toBe('Bonjour');
    // The tenant's own template wins in every locale.
    expect(
      (await tenant.call('PUT', `/api/v1/templates/${key}?locale=en`, { content: { subject: 's', text: 'Ours' } }))
        .body,
    ).toMatchObject({
      platform: false,
      version: 1,
      key,
    });
    expect((await mail({ template_id: key })).message.text).toBe('Ours');
    expect((await mail({ template_id: key, ...french })).message.text).toBe('Ours');
    expect((await preview(key)).message.text).toBe('Ours');
    const other = await app.tenant();
    expect((await mail({ template_id: key }, other)).message.text).toBe('Hello from the platform');
  });

  it('is seen by tenants and cannot be changed by them', async () => {
    const key = `seen-${newId()}`;
    const theirs = await platform({ key, content: { subject: 's', text: 'x' }, payload_schema: { required: ['a'] } });
    await created({ key: 'mine', content: { subject: 's', text: 'x' } });
    const list = async (query: string) => (await tenant.call('GET', `/api/v1/templates?limit=2${query}`)).body.data;
    expect((await list('')).map((one: Json) => [one.key, one.platform])).toEqual([['mine', false]]);
    expect((await list('&include=platform')).map((one: Json) => [one.key, one.platform])).toEqual([
      ['mine', false],
      [key, true],
    ]);
    expect(await get(key)).toMatchObject({ platform: true, id: theirs.id });
    expect((await put(theirs.id, { content: { subject: 's', text: 'y' } })).body).toMatchObject({
      status: 409,
      detail: expect.stringContaining('template of the platform'),
    });
    for (const id of [theirs.id, key])
      expect((await tenant.call('DELETE', `/api/v1/templates/${id}`)).status).toBe(404);
    // Its schema counts, and a copy keeps it.
    const send = { channel: 'email', recipient_id: 'x', recipient_address: 'ok@simulator.test', template_id: key };
    expect((await tenant.call('POST', '/api/v1/notifications', send)).body.errors).toMatchObject([
      { pointer: '/payload/a' },
    ]);
    expect((await put(key, { content: { subject: 's', text: 'y' } })).body).toMatchObject({
      payload_schema: { required: ['a'] },
    });
    const after = await app.operator('GET', `/internal/templates/${key}`);
    expect(after.body).toMatchObject({ id: theirs.id, version: 1, content: { text: 'x' } });
  });

  it('is written by the operator only, and the audit log says so', async () => {
    const key = `audited-${newId()}`;
    const { id } = await platform({ key, content: { subject: 's', text: 'x' } });
    await app.operator('PUT', `/internal/templates/${key}`, { content: { subject: 's', text: '{{a}}' } });
    expect(await preview(key, { a: 1 })).toMatchObject({ version: 2, message: { text: '1' } });
    expect((await app.operator('DELETE', `/internal/templates/${key}`)).status).toBe(204);
    const { rows } = await app.sql.query('select action, actor from audit_log where subject = $1 order by id', [id]);
    expect(rows).toEqual([
      { action: 'template.created', actor: 'operator' },
      { action: 'template.changed', actor: 'operator' },
      { action: 'template.removed', actor: 'operator' },
    ]);
  });
});

describe('the versions of a template', () => {
  const versions = async (path: string, by: Tenant = tenant): Promise<Json> =>
    (await by.call('GET', `/api/v1/templates/${path}`)).body;

  it('are listed in pages, newest first, also of a template of the platform', async () => {
    await template('offer', 'one');
    for (const html of ['two', 'three']) await put('offer', { content: { subject: 's', html } });
    const first = await versions('offer/versions?limit=2');
    expect(first.data.map(({ version, content }: Json) => [version, content.html])).toEqual([
      [3, 'three'],
      [2, 'two'],
    ]);
    const second = await versions(`offer/versions?limit=2&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ data: [{ version: 1, content: { html: 'one' } }], next_cursor: null });
    expect((await tenant.call('GET', '/api/v1/templates/offer/versions?cursor=x')).status).toBe(422);
    expect((await tenant.call('GET', '/api/v1/templates/none/versions')).status).toBe(404);

    const key = `notice-${newId()}`;
    await platform({ key, content: { subject: 's', html: 'of the platform' } });
    expect((await versions(`${key}/versions`)).data).toMatchObject([
      { version: 1, content: { html: 'of the platform' } },
    ]);
  });

  it('can be gone back to: a new version with the old content and the partials of today', async () => {
    await partial('inner', 'old partial');
    await template('offer', '[{{> inner}}]', { sample_payload: { a: 1 } });
    await put('offer', { content: { subject: 's', html: 'new' }, sample_payload: null });
    await put('inner', { content: { html: 'new partial' } });
    expect((await mail({ template_id: 'offer' })).message.html).toBe('new');

    const back = await tenant.call('POST', '/api/v1/templates/offer/rollback', { version: 1 });
    expect([back.status, back.body]).toMatchObject([
      200,
      { version: 3, content: { html: '[{{> inner}}]' }, sample_payload: { a: 1 }, includes: [{ version: 2 }] },
    ]);
    const { message, delivery } = await mail({ template_id: 'offer' });
    expect([message.html, delivery.template_version]).toEqual(['[new partial]', 3]);
    expect((await versions('offer/versions')).data.map(({ version }: Json) => version)).toEqual([3, 2, 1]);
    const { rows } = await app.sql.query(
      `select action, "before"->'version' as before, "after"->'version' as after from audit_log
       where tenant_id = $1 and subject = $2 order by id desc limit 1`,
      [tenant.id, back.body.id],
    );
    expect(rows).toEqual([{ action: 'template.changed', before: 2, after: 3 }]);
  });

  it.each([
    ['an unknown version', 'offer', { version: 9 }, 422, '/version'],
    ['no version', 'offer', {}, 422, '/version'],
    ['an unknown template', 'none', { version: 1 }, 404, undefined],
  ])('cannot be gone back to with %s', async (_, key, body, status, pointer) => {
    await template('offer', 'one');
    const answer = await tenant.call('POST', `/api/v1/templates/${key}/rollback`, body);
    expect([answer.status, answer.body.errors?.[0].pointer]).toEqual([status, pointer]);
  });

  it('can be gone back to by the operator, and not by a tenant, if it is one of the platform', async () => {
    const key = `notice-${newId()}`;
    const { id } = await platform({ key, content: { subject: 's', html: 'one' } });
    await app.operator('PUT', `/internal/templates/${id}`, { content: { subject: 's', html: 'two' } });
    expect((await mail({ template_id: key })).message.html).toBe('two');
    expect((await tenant.call('POST', `/api/v1/templates/${key}/rollback`, { version: 1 })).status).toBe(404);
    const back = await app.operator('POST', `/internal/templates/${id}/rollback`, { version: 1 });
    expect([back.status, back.body]).toMatchObject([200, { version: 3, content: { html: 'one' } }]);
    expect((await mail({ template_id: key })).message.html).toBe('one');
    const listed = await app.operator('GET', `/internal/templates/${key}/versions`);
    expect(listed.body.data.map(({ version }: Json) => version)).toEqual([3, 2, 1]);
  });
});
