import { setTimeout as delay } from 'node:timers/promises';
import { fillDeliveries } from './fill.ts';
import { type Context, check, type Figures, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { due: 1_500, among: 5_000 },
  small: { due: 20_000, among: 200_000 },
  full: { due: 100_000, among: 1_000_000 },
};

export const b9: Scenario = {
  id: 'B9',
  title: 'schedule: many due at one instant among many that are not, three workers',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { due, among } = SIZES[size];
    const recipients = due / 5;
    const tenant = await product.tenant(recipients);
    await fillDeliveries(product, tenant, among - due, { dueAt: new Date(Date.now() + 30 * 86_400_000), recipients });
    say(`${among - due} wait for another day`);
    const instant = new Date(Date.now() + 12_000 + due / 10);
    await fillDeliveries(product, tenant, due, { dueAt: instant, recipients });
    await product.sql.query('vacuum analyze due_deliveries, deliveries, notifications');
    await product.sql.query('checkpoint');
    const workers = [];
    for (let count = 0; count < 3; count += 1) workers.push(await product.start('worker', {}, profiles));
    check('seconds left before the instant, or none', Math.min(0, instant.getTime() - Date.now()), 0);
    const done = (): Promise<number> => product.count(`select count(*) from attempts where outcome = 'sent'`);
    while ((await done()) < due) await delay(250);
    for (const worker of workers) await worker.stop();
    const { rows } = await product.sql.query<{ first: string; last: string; sends: string; deliveries: string }>(
      `select extract(epoch from min(ended_at) - $1::timestamptz) as first, extract(epoch from max(ended_at) - $1::timestamptz) as last, count(*) as sends, count(distinct delivery_id) as deliveries
       from attempts`,
      [instant],
    );
    const [first, last] = [Number(rows[0]!.first), Number(rows[0]!.last)];
    check('sends', Number(rows[0]!.sends), due);
    check('deliveries sent', Number(rows[0]!.deliveries), due);
    check('sent before their time', first < 0 ? 1 : 0, 0);
    say(`${due} of ${among}: first after ${(first * 1_000).toFixed(0)} ms, last after ${last.toFixed(1)} s`);
    return {
      id: 'B9',
      work: this.title,
      figures: { due, among, first_lag_ms: first * 1_000, last_lag_s: last, per_second: due / last, duplicates: 0 },
      headline: { name: `${due} due at once, the last sent after`, value: last, unit: 's' },
      limit: null,
      peers: [],
      ratio: null,
      floor: null,
      targets: [{ name: `${due} due at once done ≤ 5 s`, met: last <= 5 }],
    };
  },
};
