import { Pool } from 'undici';
import { drained } from './b4-drain.ts';
import { fillDeliveries } from './fill.ts';
import { type Context, check, type Figures, type Scenario } from './scenario.ts';
import { account, FAKES, vendor } from './vendor.ts';

const SIZES = { smoke: 2_000, small: 20_000, full: 50_000 };
/** The number of requests that a worker has in flight at one account. */
const CONNECTIONS = 100;

export const b16: Scenario = {
  id: 'B16',
  title: "vendor: a backlog through one account at a vendor's HTTP API, by one worker",
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const backlog = SIZES[size];
    const tenant = await product.tenant(backlog / 5);
    const api = await product.start('api', FAKES);
    const fake = await vendor();
    await account(api.port, tenant, fake);
    await api.stop();
    await fillDeliveries(product, tenant, backlog, { dueAt: new Date(), recipients: backlog / 5 });
    const worker = await product.start('worker', FAKES, profiles);
    const perSecond = backlog / (await drained(product));
    await worker.stop();
    check('requests at the vendor', fake.sends.length, backlog);
    const putBack = await product.count(`select count(*) from delivery_log where code = 'held'`);
    say(`${Math.round(perSecond)} deliveries/s, ${putBack} of them put back once`);

    const bare = new Pool(fake.url, { connections: CONNECTIONS, pipelining: 1 });
    const body = fake.sends[0]!.body;
    const startedAt = performance.now();
    let asked = 0;
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        while (asked < backlog) {
          asked += 1;
          const answer = await bare.request({ method: 'POST', path: '/v3/mail/send', body });
          await answer.body.dump();
        }
      }),
    );
    const limit = (backlog / (performance.now() - startedAt)) * 1_000;
    say(`the limit: ${Math.round(limit)} bare requests/s`);
    await bare.close();
    await fake.close();
    return {
      id: 'B16',
      work: this.title,
      figures: { backlog, per_second: perSecond, put_back: putBack, bare_requests_per_second: limit },
      headline: { name: "drain through a vendor's API", value: perSecond, unit: '/s' },
      limit: { name: 'bare requests', value: limit },
      peers: [],
      ratio: perSecond / limit,
      floor: 0.02,
      targets: [],
    };
  },
};
