import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProviderError } from '#domain';
import { Breaker } from './breaker.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { TenantCapacity } from './tenant-capacity.js';

const REFUSED = new ProviderError('transient', 'out of order');
const fail = (): Promise<never> => Promise.reject(REFUSED);

/** An account of which 100 sends may be in flight and 100 may wait, with a real breaker and limiter. */
class Account {
  readonly limiter = new ConcurrencyLimiter(100);
  pausedUntil = 0;
  constructor(readonly breaker = new Breaker()) {}

  async goDown(): Promise<void> {
    for (let send = 0; send < 20; send += 1) await this.breaker.run(fail).catch(() => undefined);
    expect(this.breaker.state).toBe('open');
  }
}

function over(accounts: () => readonly Account[] | undefined): TenantCapacity {
  const tenantCapacity = new TenantCapacity(accounts);
  tenantCapacity.track('tenant', 'email');
  return tenantCapacity;
}

const totalOf = (tenantCapacity: TenantCapacity): number | undefined =>
  tenantCapacity.limitsOf('email').get('tenant')?.total;

describe('the capacity of a tenant', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is limited only for a tracked tenant, and only on that channel', () => {
    const tenantCapacity = new TenantCapacity(() => [new Account()]);
    expect(totalOf(tenantCapacity)).toBeUndefined();
    tenantCapacity.track('tenant', 'sms');
    expect(totalOf(tenantCapacity)).toBeUndefined();
    tenantCapacity.track('tenant', 'email');
    expect(totalOf(tenantCapacity)).toBe(200);
  });

  it('is the sum over its accounts, and unlimited if one of them has no limit', () => {
    expect(totalOf(over(() => [new Account(), new Account()]))).toBe(400);
    const unbounded = Object.assign(new Account(), { limiter: new ConcurrencyLimiter(undefined) });
    expect(totalOf(over(() => [unbounded]))).toBeUndefined();
    expect(totalOf(over(() => []))).toBeUndefined();
  });

  it('is zero while all accounts are down, small for a probe, and grows when the account works again', async () => {
    const account = new Account();
    const tenantCapacity = over(() => [account]);
    await account.goDown();
    expect(totalOf(tenantCapacity)).toBe(0);

    await vi.advanceTimersByTimeAsync(5_000);
    expect(account.breaker.state).toBe('half_open');
    expect(totalOf(tenantCapacity)).toBe(8);
    let answer: (error?: Error) => void = () => undefined;
    const ask = (): Promise<void> =>
      new Promise((resolve, reject) => {
        answer = (error) => (error ? reject(error) : resolve());
      });
    let probe = account.breaker.run(ask);
    expect(totalOf(tenantCapacity)).toBe(0);
    answer(REFUSED);
    await expect(probe).rejects.toBe(REFUSED);
    expect([account.breaker.state, totalOf(tenantCapacity)]).toEqual(['open', 0]);

    await vi.advanceTimersByTimeAsync(5_000);
    probe = account.breaker.run(ask);
    answer();
    await probe;
    const totals: (number | undefined)[] = [];
    for (let second = 0; second < 6; second += 1) {
      totals.push(totalOf(tenantCapacity));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(totals).toEqual([8, 16, 32, 64, 128, 200]);
  });

  it('is zero during a pause that the vendor asked for', async () => {
    const account = new Account();
    account.pausedUntil = performance.now() + 3_000;
    const tenantCapacity = over(() => [account]);
    expect(totalOf(tenantCapacity)).toBe(0);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(totalOf(tenantCapacity)).toBe(200);
  });

  it('stays limited while sends wait for a slot', async () => {
    const account = new Account();
    const tenantCapacity = over(() => [account]);
    const never = () => new AbortController().signal;
    for (let send = 0; send < 100; send += 1) await account.limiter.acquire(never);
    expect(tenantCapacity.limitsOf('email').get('tenant')).toEqual({ total: 200, available: 100 });
    const waiting = account.limiter.acquire(never);
    expect(tenantCapacity.limitsOf('email').get('tenant')).toEqual({ total: 200, available: 99 });
    for (let minute = 0; minute < 3; minute += 1) {
      await vi.advanceTimersByTimeAsync(50_000);
      expect(totalOf(tenantCapacity)).toBe(200);
    }
    account.limiter.release(1);
    await waiting;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(totalOf(tenantCapacity)).toBeUndefined();
  });

  it('stays limited while the account is down, and for a minute after that', async () => {
    const account = new Account();
    const tenantCapacity = over(() => [account]);
    account.pausedUntil = performance.now() + 300_000;
    for (let second = 0; second < 299; second += 1) {
      expect(totalOf(tenantCapacity)).toBe(0);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    await vi.advanceTimersByTimeAsync(50_000);
    expect(totalOf(tenantCapacity)).toBe(200);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(totalOf(tenantCapacity)).toBeUndefined();
  });

  it('is that of a probe if the accounts are not loaded, because a delivery loads them', () => {
    expect(totalOf(over(() => undefined))).toBe(8);
  });
});

describe('a breaker', () => {
  it('reports once that the account works, if the recorded state says otherwise', async () => {
    const reported: string[] = [];
    const breaker = new Breaker((state) => reported.push(state));
    await breaker.run(() => Promise.resolve());
    expect(reported).toEqual([]);
    breaker.recordedState = 'open';
    await expect(breaker.run(fail)).rejects.toBe(REFUSED);
    expect(reported).toEqual([]);
    for (let send = 0; send < 3; send += 1) await breaker.run(() => Promise.resolve());
    expect(reported).toEqual(['closed']);
    breaker.close();
  });
});
