// The connection for LISTEN and advisory locks.

import { expect, inject, it } from 'vitest';
import { Database, PostgresListener } from '#database';
import { cloneDatabase } from '#testing';

const NAMES = ['one', 'two', 'three', 'four', 'five'];

/** A database that counts the queries which run at once on the connection of a listener. */
function counted(database: Database): { database: Database; most: () => number } {
  let [running, most] = [0, 0];
  const newClient = (): unknown => {
    const client = database.newClient();
    const query = client.query.bind(client) as (...parts: unknown[]) => Promise<unknown>;
    const counting = async (...parts: unknown[]): Promise<unknown> => {
      running += 1;
      most = Math.max(most, running);
      return await query(...parts).finally(() => {
        running -= 1;
      });
    };
    return Object.assign(client, { query: counting });
  };
  return { database: Object.create(database, { newClient: { value: newClient } }), most: () => most };
}

it('locks that are asked for at once are taken one after the other, each by one process', async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  const database = new Database({ url: clone.url, poolSize: 1 });
  const { database: counting, most } = counted(database);
  const [first, second] = [counting, database].map((one) => new PostgresListener(one, () => undefined));
  await first!.start();
  await second!.start();
  expect(await Promise.all(NAMES.map((name) => first!.holds(name)))).toEqual(NAMES.map(() => true));
  expect(most()).toBe(1);
  expect(await Promise.all(NAMES.map((name) => second!.holds(name)))).toEqual(NAMES.map(() => false));
  await first!.close();
  await second!.close();
  await database.close();
  await clone.drop();
});
