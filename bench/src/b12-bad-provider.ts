import { startVendor, type Vendor } from '../../libs/testing/src/vendors/http-vendor.ts';
import type { BenchTenant } from './house.ts';
import { type Context, type Figures, percentile, type Scenario } from './scenario.ts';
import { sendTimes } from './send-times.ts';

/** Half the rate each, so that together they are the 500 a second of the promise. */
const RATE = 250;
const SIZES = { smoke: 3, small: 15, full: 60 };
const EVERY = 5;
/** Accounts at another address, and on loopback, are refused in production. */
const FAKES = { NODE_ENV: 'development' };

export const b12: Scenario = {
  id: 'B12',
  title:
    "bad provider: a fifth of one tenant's sends hang until the deadline, another tenant has an account of its own",
  async run({ house, size, say }: Context): Promise<Figures> {
    const seconds = SIZES[size];
    const [bad, good] = [await vendor(), await vendor()];
    const api = await house.start('api', FAKES);
    const worker = await house.start('worker', FAKES);
    const count = RATE * (seconds + 1);
    const [unlucky, healthy] = [await house.tenant(count), await house.tenant(count)];
    await account(api.port, unlucky, bad);
    await account(api.port, healthy, good);
    const both = async (prefix: string, atLeast?: number): Promise<number[]> => {
      const stream = { house, port: api.port, rate: RATE, seconds };
      const [, times] = await Promise.all([
        sendTimes({
          ...stream,
          tenant: unlucky,
          prefix: `unlucky-${prefix}`,
          ...(atLeast !== undefined && { atLeast }),
        }),
        sendTimes({ ...stream, tenant: healthy, prefix: `healthy-${prefix}` }),
      ]);
      return times;
    };
    const before = await both('before');
    say(
      `without the fault: p50 ${percentile(before, 0.5).toFixed(0)} ms, p99 ${percentile(before, 0.99).toFixed(0)} ms`,
    );
    let number = 0;
    bad.behave(() => {
      number += 1;
      return number % EVERY === 0 ? 'hang' : ACCEPTED;
    });
    const asked = bad.sends.length;
    const beside = await both('beside', 0);
    const [p99Before, p99Beside] = [percentile(before, 0.99), percentile(beside, 0.99)];
    say(`beside the fault: p50 ${percentile(beside, 0.5).toFixed(0)} ms, p99 ${p99Beside.toFixed(0)} ms`);
    const figures = {
      rate: RATE,
      seconds,
      p50_before_ms: percentile(before, 0.5),
      p99_before_ms: p99Before,
      p50_beside_ms: percentile(beside, 0.5),
      p99_beside_ms: p99Beside,
      asked_of_the_bad_one: bad.sends.length - asked,
    };
    await worker.stop();
    await api.stop();
    await Promise.all([bad.close(), good.close()]);
    return {
      id: 'B12',
      work: this.title,
      figures,
      headline: { name: "the healthy tenant's p99 beside the fault", value: p99Beside, unit: 'ms' },
      limit: { name: 'without the fault', value: p99Before },
      peers: [],
      ratio: p99Before / p99Beside,
      floor: 0.1,
      targets: [{ name: '≤ 1.2x without the fault', met: p99Beside <= 1.2 * p99Before }],
    };
  },
};

const ACCEPTED = { status: 202, headers: { 'x-message-id': 'm' }, body: '' };

/** Speaks as SendGrid does. */
function vendor(): Promise<Vendor> {
  return startVendor({
    id: 'sendgrid',
    credentials: (endpoint) => ({ api_key: 'a-secret-of-the-account', from: 'bench@example.com', endpoint }),
    secrets: [],
    to: 'user@example.com',
    isSend: ({ path }) => path === '/v3/mail/send',
    accept: () => ACCEPTED,
    refusals: {},
  });
}

async function account(port: number, tenant: BenchTenant, vendor: Vendor): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/provider-accounts`, {
    method: 'POST',
    headers: { 'X-API-Key': tenant.apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'vendor', provider: vendor.description.id, credentials: vendor.credentials }),
  });
  if (answer.status !== 201) throw new Error(`no account: ${answer.status} ${await answer.text()}`);
}
