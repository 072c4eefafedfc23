import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, simulated, startHouse, type Tenant } from './house.js';

let house: House;
let tenant: Tenant;
let other: Tenant;

beforeAll(async () => {
  house = await startHouse();
  [tenant, other] = [await house.tenant(), await house.tenant()];
});
afterAll(() => house?.stop());

const count = async (tenantId: string): Promise<number> =>
  Number((await house.sql.query('select count(*) from notifications where tenant_id = $1', [tenantId])).rows[0].count);

describe('an idempotency key', () => {
  it('makes one notification of fifty parallel requests, with fifty equal answers', async () => {
    const body = { ...simulated('ok'), idempotency_key: 'order-7' };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tenant.call('POST', '/api/v1/notifications', body)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body: answer }) => JSON.stringify(answer))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(49);
    expect(await count(tenant.id)).toBe(1);
  });

  it('answers the same text a while later, when the delivery is long done', async () => {
    const first = await tenant.call('POST', '/api/v1/notifications', simulated('ok'), { 'Idempotency-Key': 'later' });
    await expect.poll(async () => (await tenant.notification(first.body.id)).status).toBe('sent');
    const again = await tenant.call('POST', '/api/v1/notifications', simulated('ok'), { 'Idempotency-Key': 'later' });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  it('is refused with another body, whatever the order of its fields', async () => {
    const key = { 'Idempotency-Key': 'k' };
    const { body: first } = await tenant.call('POST', '/api/v1/notifications', simulated('ok'), key);
    const reordered = Object.fromEntries(Object.entries(simulated('ok')).reverse());
    expect((await tenant.call('POST', '/api/v1/notifications', reordered, key)).body.id).toBe(first.id);
    expect((await tenant.call('POST', '/api/v1/notifications', simulated('flaky'), key)).body).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
    });
  });

  it("is the tenant's own", async () => {
    const body = { ...simulated('ok'), idempotency_key: 'shared' };
    const [mine, theirs] = [
      await tenant.send(body),
      await other.send(simulated('flaky'), { 'Idempotency-Key': 'shared' }),
    ];
    expect(theirs.id).not.toBe(mine.id);
  });

  it('is not used up by a request with faults', async () => {
    const key = { 'Idempotency-Key': 'faulty' };
    expect((await tenant.call('POST', '/api/v1/notifications', { channel: 'email' }, key)).status).toBe(422);
    expect((await tenant.call('POST', '/api/v1/notifications', simulated('ok'), key)).status).toBe(202);
  });

  it('works on every other POST too', async () => {
    const template = { key: 'once', channel: 'sms', content: { text: 'x' } };
    const first = await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't1' });
    const second = await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't1' });
    expect([first.status, second.status, second.headers.get('idempotency-replayed')]).toEqual([201, 201, 'true']);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect(
      (await tenant.call('POST', '/api/v1/templates', { ...template, key: 'other' }, { 'Idempotency-Key': 't1' })).body
        .code,
    ).toBe('idempotency_mismatch');
    // Without the key the same request is a conflict; the conflict is not kept.
    expect((await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't2' })).body.code).toBe(
      'conflict',
    );
    await tenant.call('DELETE', '/api/v1/templates/once');
    expect((await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't2' })).status).toBe(201);
  });

  it('of a POST that is still running is told', async () => {
    await house.sql.query(
      `insert into idempotency_keys (tenant_id, key, body_hash) values ($1, 'running', decode($2, 'hex'))`,
      [
        tenant.id,
        (await import('../apps/api/src/http/idempotency.js')).bodyHashOf('POST /api/v1/templates', {
          key: 'r',
          channel: 'sms',
          content: { text: 'x' },
        }),
      ],
    );
    expect(
      (
        await tenant.call(
          'POST',
          '/api/v1/templates',
          { key: 'r', channel: 'sms', content: { text: 'x' } },
          { 'Idempotency-Key': 'running' },
        )
      ).body,
    ).toMatchObject({ status: 409, code: 'idempotency_in_flight' });
  });
});
