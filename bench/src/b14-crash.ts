import { setTimeout as delay } from 'node:timers/promises';
import { fillDeliveries } from './fill.ts';
import { type Context, check, type Figures, type Scenario } from './scenario.ts';

const SIZES = { smoke: 5_000, small: 30_000, full: 60_000 };
const LEASE_SECONDS = 10;

export const b14: Scenario = {
  id: 'B14',
  title: 'crash cost: one of two workers is killed under load; until everything is sent, and what was sent twice',
  async run({ product, size, say }: Context): Promise<Figures> {
    const backlog = SIZES[size];
    const tenant = await product.tenant(backlog / 5);
    await fillDeliveries(product, tenant, backlog, { dueAt: new Date(), recipients: backlog / 5 });
    const environment = { LEASE_SECONDS: String(LEASE_SECONDS) };
    const [killed, other] = [await product.start('worker', environment), await product.start('worker', environment)];
    const sent = (): Promise<number> => product.count(`select count(*) from deliveries where state = 'sent'`);
    while ((await sent()) < backlog / 10) await delay(10);
    await killed.kill();
    const { rows: moment } = await product.sql.query<{ now: Date }>('select now()');
    while ((await product.count('select count(*) from due_deliveries')) > 0) await delay(100);
    await other.stop();
    check('deliveries sent', await sent(), backlog);
    const { rows } = await product.sql.query<{ seconds: string }>(
      'select extract(epoch from max(sent_at) - $1::timestamptz) as seconds from deliveries',
      [moment[0]!.now],
    );
    const seconds = Number(rows[0]!.seconds);
    const unknown = await product.count(`select count(*) from attempts where outcome = 'unknown'`);
    const sends = await product.count(`select count(*) from attempts where outcome = 'sent'`);
    say(
      `all sent ${seconds.toFixed(1)} s after the kill, with a lease of ${LEASE_SECONDS} s; ${unknown} sends in doubt and repeated`,
    );
    check('sends on record', sends, backlog);
    return {
      id: 'B14',
      work: this.title,
      figures: { backlog, lease_s: LEASE_SECONDS, all_sent_s: seconds, in_doubt: unknown },
      headline: { name: 'all sent after the kill', value: seconds, unit: 's' },
      limit: { name: 'the lease', value: LEASE_SECONDS },
      // Default time after which the alternatives retry a killed worker's jobs, from their documentation.
      peers: [
        { name: 'pg-boss, by configuration (s)', value: 900 },
        { name: 'graphile-worker, by configuration (s)', value: 14_400 },
      ],
      ratio: LEASE_SECONDS / seconds,
      floor: 0.3,
      targets: [{ name: '≤ lease + 5 s', met: seconds <= LEASE_SECONDS + 5 }],
    };
  },
};
