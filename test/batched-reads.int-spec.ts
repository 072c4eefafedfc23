// Reads of many tenants in one statement: a key that the database refuses fails alone.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, FirstAnswersStore, InboxStore, RecipientsStore, TemplatesStore } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';

const [attacker, victim] = [newId(), newId()];
const template = newId();
const notification = newId();
let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 5 });
  admin = await connect(clone.url);
  for (const id of [attacker, victim])
    await admin.query(`insert into tenants (id, name) values ($1, ($1::uuid)::text)`, [id]);
  await admin.query(`insert into recipients (tenant_id, id, email) values ($1, 'ann', 'ann@example.com')`, [victim]);
  await admin.query(
    `insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body)
     select $1, 'ann', n, gen_random_uuid(), 'default', 'Title ' || n, 'x' from generate_series(1, 3) n`,
    [victim],
  );
  await admin.query(
    `insert into inbox_counters (tenant_id, recipient_id, last_seq, total, unread, unseen) values ($1, 'ann', 3, 3, 3, 3)`,
    [victim],
  );
  await admin.query(
    `insert into templates (tenant_id, id, key, channel, locale, version) values ($1, $2, 'welcome', 'email', 'en', 1)`,
    [victim, template],
  );
  await admin.query(
    `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total)
     values ($1, $2, 'ann', 'default', '{email}', 5, 1)`,
    [victim, notification],
  );
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

/** Numbers and text that PostgreSQL refuses, as a position, an id and a key. */
const POSITIONS = [1e26, Number('99999999999999999999'), Number.NaN, Number.POSITIVE_INFINITY, 1.5];
const TEXTS = ['a\0b', '\0'];

/** Runs all reads in one turn of the event loop, so that they are one batch. The attacker's come first and last. */
async function mixed<Result>(
  bad: readonly (() => Promise<unknown>)[],
  good: () => Promise<Result>,
): Promise<{ bad: PromiseSettledResult<unknown>[]; good: Result }> {
  const half = Math.ceil(bad.length / 2);
  const before = bad.slice(0, half).map((read) => read());
  const wanted = good();
  const after = bad.slice(half).map((read) => read());
  const settled = await Promise.allSettled([...before, ...after]);
  return { bad: settled, good: await wanted };
}
const statuses = (settled: readonly PromiseSettledResult<unknown>[]): string[] => settled.map(({ status }) => status);

describe("a read that the database refuses does not fail another tenant's", () => {
  it('of the items after a position', async () => {
    const inbox = new InboxStore(database);
    const { bad, good } = await mixed(
      POSITIONS.map((since) => () => inbox.feed(attacker, 'ann', since)),
      () => inbox.feed(victim, 'ann', 1),
    );
    expect(statuses(bad)).toEqual(POSITIONS.map(() => 'rejected'));
    expect(good.map(({ seq }) => seq)).toEqual([2, 3]);
  });

  it('of counters', async () => {
    const inbox = new InboxStore(database);
    const { bad, good } = await mixed(
      TEXTS.map((recipientId) => () => inbox.head(attacker, recipientId)),
      () => inbox.head(victim, 'ann'),
    );
    expect(statuses(bad)).toEqual(['rejected', 'rejected']);
    expect(good).toEqual({ lastSeq: 3, counts: { total: 3, unread: 3, unseen: 3 } });
  });

  it('of addresses', async () => {
    const recipients = new RecipientsStore(database);
    const { bad, good } = await mixed(
      TEXTS.map((id) => () => recipients.addressesOf(attacker, id)),
      () => recipients.addressesOf(victim, 'ann'),
    );
    expect(statuses(bad)).toEqual(['rejected', 'rejected']);
    expect(good).toMatchObject({ email: 'ann@example.com' });
  });

  it('of templates', async () => {
    const templates = new TemplatesStore(database);
    const { bad, good } = await mixed(
      TEXTS.map((idOrKey) => () => templates.heads(attacker, idOrKey, 'email')),
      () => templates.heads(victim, 'welcome', 'email'),
    );
    expect(statuses(bad)).toEqual(['rejected', 'rejected']);
    expect(good).toMatchObject([{ id: template }]);
  });

  it('of first answers', async () => {
    const answers = new FirstAnswersStore(database);
    const { bad, good } = await mixed(
      ['nonsense', '\0'].map((id) => () => answers.get(attacker, id)),
      () => answers.get(victim, notification),
    );
    expect(statuses(bad)).toEqual(['rejected', 'rejected']);
    expect(good).toMatchObject({ notification: { id: notification } });
  });

  it('a lone surrogate is no error, and finds nothing', async () => {
    const recipients = new RecipientsStore(database);
    const { bad, good } = await mixed([() => recipients.addressesOf(attacker, '\ud83d')], () =>
      recipients.addressesOf(victim, 'ann'),
    );
    expect(bad).toMatchObject([{ status: 'fulfilled', value: null }]);
    expect(good).toMatchObject({ email: 'ann@example.com' });
  });
});
