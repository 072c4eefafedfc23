import { setTimeout as delay } from 'node:timers/promises';
import { type Context, check, type Figures, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { spread: 500, due: 1_500 },
  small: { spread: 2_000, due: 20_000 },
  full: { spread: 10_000, due: 100_000 },
};
const SPREAD_SECONDS = { smoke: 5, small: 20, full: 60 };

export const b21: Scenario = {
  id: 'B21',
  title: 'recurring schedules: three workers fire many within a minute, then very many at once',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { spread, due } = SIZES[size];
    const tenant = await product.tenant(1_000);
    const count = async (where: string): Promise<number> =>
      await product.count(`select count(*) from schedules ${where}`);
    // Into a channel that no worker serves: the deliveries of the occurrences are measured by B9.
    const fill = (rows: number, from: number, seconds: number): Promise<unknown> =>
      product.sql.query(
        `insert into schedules (tenant_id, id, rrule, timezone, starts_at_local, notification, recipient_id, misfire, state, next_local, next_at)
         select $1, uuidv7(), 'FREQ=DAILY', 'UTC', to_char(t.at, 'YYYY-MM-DD"T"HH24:MI:SS'),
                jsonb_build_object('recipient_id', 'user-' || n % 1000, 'channel', 'webhook', 'category', 'default', 'priority', 5,
                                   'content', '{"body": {"hello": "there"}}'::jsonb),
                'user-' || n % 1000, 'fire_once', 'active', to_char(t.at, 'YYYY-MM-DD"T"HH24:MI:SS'), t.at
         from generate_series(1, $2::int) n
         cross join lateral (select date_trunc('second', now()) + make_interval(secs => $3::float8 + floor(n * $4::float8 / $2::int))) as t(at)`,
        [tenant.id, rows, from, seconds],
      );
    const workers = [];
    for (let started = 0; started < 3; started += 1)
      workers.push(await product.start('worker', { WORKER_CHANNELS: 'chat' }, profiles));
    await fill(spread, 5, SPREAD_SECONDS[size]);
    while ((await count('where last_fired_at is null')) > 0) await delay(250);
    check('notifications of the spread occurrences', await product.count('select count(*) from notifications'), spread);
    // The key of an occurrence ends with its local time, here in UTC.
    const early = await product.count(
      `select count(*) from notifications n join idempotency_keys k on k.tenant_id = n.tenant_id and k.notification_id = n.id
       where n.created_at < (substring(k.key from length('schedule::') + 37) || 'Z')::timestamptz`,
    );
    check('occurrences fired early', early, 0);
    say(`${spread} within ${SPREAD_SECONDS[size]} s: each once, none early`);

    const seconds = 5 + Math.ceil(due / 10_000);
    await fill(due, seconds, 0);
    const { rows } = await product.sql.query<{ at: Date }>(
      'select max(next_at) filter (where last_fired_at is null) as at from schedules',
    );
    const at = rows[0]!.at;
    check('seconds left before the instant, or none', Math.min(0, at.getTime() - Date.now()), 0);
    while ((await count('where last_fired_at is null')) > 0) await delay(100);
    const { rows: last } = await product.sql.query<{ s: string }>(
      'select extract(epoch from max(last_fired_at) - $1::timestamptz) as s from schedules',
      [at],
    );
    for (const worker of workers) await worker.stop();
    check('notifications', await product.count('select count(*) from notifications'), spread + due);
    const drained = Number(last[0]!.s);
    say(`${due} at once: the last after ${drained.toFixed(1)} s`);
    return {
      id: 'B21',
      work: this.title,
      figures: { spread, due, last_lag_s: drained, per_second: due / drained, duplicates: 0, early },
      headline: { name: `${due} schedules due at once, the last fired after`, value: drained, unit: 's' },
      limit: null,
      peers: [],
      ratio: null,
      floor: null,
      targets: [{ name: `${due} due at once fired ≤ 8 s`, met: drained <= 8 }],
    };
  },
};
