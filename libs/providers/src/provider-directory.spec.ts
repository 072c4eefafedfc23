import { afterEach, describe, expect, it } from 'vitest';
import { type SmtpSink, startSmtpSink, until } from '#testing';
import { ConnectionFactory } from './connection-factory.js';
import { ProviderDirectory, type SendTarget } from './provider-directory.js';
import type { Account, Sender } from './sender.js';

const SLOTS = 5;
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const targetOf = (tenantId: string): SendTarget => ({
  tenantId,
  channel: 'email',
  isSandboxed: false,
  endpointId: null,
});
const timeout = (): AbortSignal => AbortSignal.timeout(5_000);

/** A directory of one SMTP account of the tenant `ours`, and one sandbox account for each other tenant. */
async function prepare() {
  const sink: SmtpSink = await startSmtpSink();
  open.push(() => sink.close());
  const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'a@example.com' };
  let updatedAt = new Date(0);
  const health: string[] = [];
  const directory = new ProviderDirectory({
    accounts: async (tenantId, channel): Promise<Account[]> => {
      const account = { tenantId, id: `account of ${tenantId}`, channel, pacePerSecond: null, updatedAt };
      return tenantId === 'ours'
        ? [{ ...account, provider: 'smtp', credentials, breaker: 'closed' }]
        : [{ ...account, provider: 'sandbox', credentials: {}, breaker: 'closed' }];
    },
    endpoint: async () => null,
    connectionFactory: new ConnectionFactory({
      production: false,
      publicUrl: undefined,
      egressAllowedCidrs: ['127.0.0.0/8'],
      deposit: async () => undefined,
    }),
    deadlineMs: 10_000,
    sandboxFallback: false,
    onHealth: (_account, state) => health.push(state),
    onChange: () => undefined,
  });
  open.push(() => directory.close());
  const seen: Sender[] = [];
  /** Sends one message in the same order of calls as the send step. */
  const deliver = (to: string): Promise<string | null> =>
    directory.withSenders(targetOf('ours'), async ([sender]) => {
      seen.push(sender!);
      if (!(await sender!.limiter.acquire(timeout))) throw new Error('no slot');
      try {
        const content = { subject: 'Hello', text: 'Hello' };
        const ids = { tenantId: 't', notificationId: 'n', deliveryId: to, recipientId: 'r', attempt: 1 };
        const message = { ...ids, channel: 'email', to, content } as const;
        const options = { signal: timeout(), idempotencyKey: `${to}:1` };
        return await sender!.breaker.run(async () => (await sender!.connection.send(message, options)).messageId);
      } finally {
        sender!.limiter.release(1);
      }
    });
  const deliverMany = (count: number, prefix: string): Promise<string | null>[] =>
    Array.from({ length: count }, (_, n) => deliver(`${prefix}${n}@example.com`));
  return {
    sink,
    directory,
    health,
    seen,
    deliver,
    deliverMany,
    edit: () => {
      updatedAt = new Date(updatedAt.getTime() + 1);
      directory.forget('ours');
    },
    evict: async () => {
      for (let tenant = 0; tenant < 1_000; tenant += 1)
        await directory.withSenders(targetOf(`tenant ${tenant}`), async () => undefined);
    },
  };
}

describe.each(['edit', 'evict'] as const)('an account whose sender goes (%s) while it sends', (how) => {
  it('finishes the sends in flight and waiting, keeps its limit, and then closes the old connections', async () => {
    const { sink, seen, deliver, deliverMany, health, ...change } = await prepare();
    sink.holdAt('recipient');
    const before = deliverMany(2 * SLOTS, 'before');
    await until('all connections are taken', () => sink.connections() === SLOTS);
    await change[how]();
    const after = deliverMany(SLOTS, 'after');
    await until('the new sender is in use', () => new Set(seen).size === 2);
    expect(new Set(seen.map(({ limiter }) => limiter)).size).toBe(1);
    const { limiter } = seen[0]!;
    await until('the others wait', () => limiter.available === limiter.capacity - 3 * SLOTS);
    expect(sink.connections()).toBe(SLOTS);
    sink.release();
    expect((await Promise.all([...before, ...after])).every((id) => id !== null)).toBe(true);
    expect(sink.log).toHaveLength(3 * SLOTS);

    await until('the old connections are closed', () => sink.connections() <= SLOTS);
    await deliver('last@example.com');
    expect([limiter.isIdle, seen.at(-1)!.limiter, health]).toEqual([true, limiter, []]);
    // The last message went through the new sender; the old one is closed.
    expect(seen.at(-1)).not.toBe(seen[0]);
    expect([seen[0]!.isRetired, seen[0]!.users]).toEqual([true, 0]);
    const late = seen[0]!.breaker.run(async () => 'sent');
    await expect(late).rejects.toThrow(/shutdown/);
  });
});

describe('an account without users', () => {
  it('is closed at once when it is changed or evicted', async () => {
    const { sink, deliver, edit, evict, seen } = await prepare();
    await deliver('one@example.com');
    expect(sink.connections()).toBe(1);
    edit();
    await deliver('two@example.com');
    await until('the old connection is closed', () => sink.connections() === 1);
    await evict();
    await until('the other one is closed too', () => sink.connections() === 0);
    await deliver('three@example.com');
    // The limiter of an account without a sender is dropped.
    expect(seen[2]!.limiter).not.toBe(seen[0]!.limiter);
  });
});
