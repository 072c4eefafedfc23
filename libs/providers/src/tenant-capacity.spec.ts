import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProviderError } from '#domain';
import { Breaker } from './breaker.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { TenantCapacity } from './tenant-capacity.js';

const REFUSED = new ProviderError('transient', 'out of order');
const fail = (): Promise<never> => Promise.reject(REFUSED);

/** An account with a hundred connections, and so many waiting places: real breaker, real slots. */
class Account {
  readonly slots = new ConcurrencyLimiter(100);
  pausedUntil = 0;
  constructor(readonly breaker = new Breaker()) {}

  async goDown(): Promise<void> {
    for (let send = 0; send < 20; send += 1) await this.breaker.run(fail).catch(() => undefined);
    expect(this.breaker.state).toBe('open');
  }
}

function over(accounts: () => readonly Account[] | undefined): TenantCapacity {
  const tenantCapacity = new TenantCapacity(accounts);
  tenantCapacity.note('tenant', 'email');
  return tenantCapacity;
}

const placesIn = (tenantCapacity: TenantCapacity): number | undefined =>
  tenantCapacity.of('email').get('tenant')?.total;

describe('tenantCapacity', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is a matter of those who were noted, on that channel, and of nobody else', () => {
    const tenantCapacity = new TenantCapacity(() => [new Account()]);
    expect(placesIn(tenantCapacity)).toBeUndefined();
    tenantCapacity.note('tenant', 'sms');
    expect(placesIn(tenantCapacity)).toBeUndefined();
    tenantCapacity.note('tenant', 'email');
    expect(placesIn(tenantCapacity)).toBe(200);
  });

  it('is what all accounts together can send and let wait, and without a bound is not there', () => {
    expect(placesIn(over(() => [new Account(), new Account()]))).toBe(400);
    const unbounded = Object.assign(new Account(), { slots: new ConcurrencyLimiter(undefined) });
    expect(placesIn(over(() => [unbounded]))).toBeUndefined();
    expect(placesIn(over(() => []))).toBeUndefined();
  });

  it('is nothing while all accounts are down, a few for each probe, and grows while the account works again', async () => {
    const account = new Account();
    const tenantCapacity = over(() => [account]);
    await account.goDown();
    expect(placesIn(tenantCapacity)).toBe(0);

    await vi.advanceTimersByTimeAsync(5_000);
    expect(account.breaker.state).toBe('half_open');
    expect(placesIn(tenantCapacity)).toBe(8);
    let answer: (error?: Error) => void = () => undefined;
    const ask = (): Promise<void> =>
      new Promise((resolve, reject) => {
        answer = (error) => (error ? reject(error) : resolve());
      });
    let probe = account.breaker.run(ask);
    expect(placesIn(tenantCapacity)).toBe(0);
    answer(REFUSED);
    await expect(probe).rejects.toBe(REFUSED);
    expect([account.breaker.state, placesIn(tenantCapacity)]).toEqual(['open', 0]);

    await vi.advanceTimersByTimeAsync(5_000);
    probe = account.breaker.run(ask);
    answer();
    await probe;
    const places: (number | undefined)[] = [];
    for (let second = 0; second < 6; second += 1) {
      places.push(placesIn(tenantCapacity));
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(places).toEqual([8, 16, 32, 64, 128, 200]);
  });

  it('is nothing while the vendor wants to be left alone', async () => {
    const account = new Account();
    account.pausedUntil = performance.now() + 3_000;
    const tenantCapacity = over(() => [account]);
    expect(placesIn(tenantCapacity)).toBe(0);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(placesIn(tenantCapacity)).toBe(200);
  });

  it('lasts as long as somebody waits for a place', async () => {
    const account = new Account();
    const tenantCapacity = over(() => [account]);
    const never = () => new AbortController().signal;
    for (let send = 0; send < 100; send += 1) await account.slots.enter(never);
    expect(tenantCapacity.of('email').get('tenant')).toEqual({ total: 200, free: 100 });
    const waiting = account.slots.enter(never);
    expect(tenantCapacity.of('email').get('tenant')).toEqual({ total: 200, free: 99 });
    for (let minute = 0; minute < 3; minute += 1) {
      await vi.advanceTimersByTimeAsync(50_000);
      expect(placesIn(tenantCapacity)).toBe(200);
    }
    account.slots.leave(1);
    await waiting;
    await vi.advanceTimersByTimeAsync(61_000);
    expect(placesIn(tenantCapacity)).toBeUndefined();
  });

  it('lasts as long as the account is down, and is forgotten a minute after it was of use', async () => {
    const account = new Account();
    const tenantCapacity = over(() => [account]);
    account.pausedUntil = performance.now() + 300_000;
    for (let second = 0; second < 299; second += 1) {
      expect(placesIn(tenantCapacity)).toBe(0);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    await vi.advanceTimersByTimeAsync(50_000);
    expect(placesIn(tenantCapacity)).toBe(200);
    await vi.advanceTimersByTimeAsync(11_000);
    expect(placesIn(tenantCapacity)).toBeUndefined();
  });

  it('lets a few through where the accounts are not known just now: they look them up', () => {
    expect(placesIn(over(() => undefined))).toBe(8);
  });
});

describe('a breaker', () => {
  it('says that the account works, once, where something else is on record', async () => {
    const told: string[] = [];
    const breaker = new Breaker((state) => told.push(state));
    await breaker.run(() => Promise.resolve());
    expect(told).toEqual([]);
    breaker.onRecord = 'open';
    await expect(breaker.run(fail)).rejects.toBe(REFUSED);
    expect(told).toEqual([]);
    for (let send = 0; send < 3; send += 1) await breaker.run(() => Promise.resolve());
    expect(told).toEqual(['closed']);
    breaker.close();
  });
});
