import { describe, expect, it } from 'vitest';
import type { Cap } from './policies.js';
import { type LimitFacts, limitsOf, refusingLimit } from './recipient-limits.js';

const AT = Date.parse('2026-03-28T23:30:00Z');
const facts = (change: Partial<LimitFacts> = {}): LimitFacts => ({
  recipientId: 'ann',
  channel: 'email',
  categoryKey: 'news',
  category: null,
  caps: [],
  timezone: null,
  settings: {},
  ...change,
});
const cap = (change: Partial<Cap> = {}): Cap => ({ limit: 3, window_seconds: 60, on_excess: 'hold', ...change });
const rules = (change: Partial<LimitFacts>): string[] => limitsOf(facts(change), AT).map(({ rule }) => rule);

describe('the limits of a delivery', () => {
  it("in a mandatory category are the tenant's only", () => {
    const mandatory = { mandatory: true, onCap: null, bypassCaps: false };
    const strict = { caps: [cap({ limit: 1, on_excess: 'drop' })], settings: { caps: [cap({ limit: 2 })] } };
    expect(rules(strict)).toEqual(['recipient.caps', 'tenant.caps', 'recipient_limits']);
    expect(rules({ ...strict, category: mandatory })).toEqual(['tenant.caps', 'recipient_limits']);
  });

  it('are the limit of its channel where there are no caps', () => {
    expect(limitsOf(facts(), AT)).toMatchObject([{ key: 'email:ann', limit: 10, rule: 'recipient_limits' }]);
    expect(limitsOf(facts({ channel: 'chat' }), AT)).toEqual([]);
  });

  it.each<[string, Partial<Cap>, Partial<LimitFacts>, boolean]>([
    ['of all channels', {}, {}, true],
    ['of all channels', {}, { channel: 'in_app' }, false],
    ['of this channel', { channel: 'email' }, {}, true],
    ['of the inbox', { channel: 'in_app' }, { channel: 'in_app' }, true],
    ['of another channel', { channel: 'sms' }, {}, false],
    ['of this category', { category: 'news' }, {}, true],
    ['of another category', { category: 'offers' }, {}, false],
    ['of this category on another channel', { category: 'news', channel: 'sms' }, {}, false],
  ])('include a cap %s: %j %j', (_, change, of, applies) => {
    expect(rules({ ...of, caps: [cap(change)] }).includes('recipient.caps')).toBe(applies);
    expect(rules({ ...of, settings: { caps: [cap(change)] } }).includes('tenant.caps')).toBe(applies);
  });

  it('are none for a category that bypasses caps', () => {
    expect(rules({ caps: [cap()], category: { mandatory: false, onCap: null, bypassCaps: true } })).toEqual([]);
  });

  it('have a log for each cap and recipient, and the smaller of two with the same log', () => {
    const caps = [
      cap(),
      cap({ limit: 2 }),
      cap({ window_seconds: 61 }),
      cap({ window_seconds: undefined, per: 'day' }),
    ];
    const limits = limitsOf(facts({ channel: 'chat', caps, settings: { caps: [cap()] } }), AT);
    expect(limits.map(({ limit, rule }) => `${limit} ${rule}`)).toEqual([
      '2 recipient.caps',
      '3 recipient.caps',
      '3 recipient.caps',
      '3 tenant.caps',
    ]);
    expect(new Set(limits.map(({ key }) => key)).size).toBe(4);
    const [ofBob] = limitsOf(facts({ recipientId: 'bob', caps: [cap()] }), AT);
    expect(limits.map(({ key }) => key)).not.toContain(ofBob!.key);
  });

  it('are ordered: what is dropped first, then what is downgraded, then what is held', () => {
    const caps = [
      cap({ window_seconds: 1 }),
      cap({ on_excess: 'downgrade' }),
      cap({ window_seconds: 2, on_excess: 'drop' }),
    ];
    const limits = limitsOf(facts({ caps }), AT);
    expect(limits.map(({ action }) => action)).toEqual(['drop', 'downgrade', 'hold', 'hold']);
    expect(limits.map(({ returns }) => returns)).toEqual([false, false, true, true]);
  });

  it('have the policy of the category where it has one; an item of the inbox is not downgraded', () => {
    const category = { mandatory: false, onCap: 'downgrade' as const, bypassCaps: false };
    const actionOn = (channel: 'email' | 'in_app') =>
      limitsOf(facts({ channel, category, caps: [cap({ channel, on_excess: 'drop' })] }), AT)[0]!.action;
    expect(actionOn('email')).toBe('downgrade');
    expect(actionOn('in_app')).toBe('hold');
  });

  it('per day have the days of the recipient, else of the tenant, else of UTC', () => {
    const caps = [cap({ window_seconds: undefined, per: 'day' })];
    const today = (change: Partial<LimitFacts>): string =>
      new Date(limitsOf(facts({ caps, ...change }), AT)[0]!.days![1]!).toISOString();
    const settings = { timezone: 'America/New_York' };
    expect(today({ timezone: 'Europe/Paris', settings })).toBe('2026-03-28T23:00:00.000Z');
    expect(today({ settings })).toBe('2026-03-28T04:00:00.000Z');
    expect(today({})).toBe('2026-03-28T00:00:00.000Z');
    // Before and after midnight in Paris, on the day with 23 hours.
    const paris = (at: number) => limitsOf(facts({ caps, timezone: 'Europe/Paris' }), at)[0]!;
    expect(paris(AT).days![2]! - paris(AT).days![1]!).toBe(23 * 3_600_000);
    expect(paris(AT - 3_600_000).days![1]).toBe(Date.parse('2026-03-27T23:00:00Z'));
    expect(paris(AT).key).toBe(paris(AT - 3_600_000).key);
  });
});

it('the refusing limit is the first one that does not return, else the one with the longest wait', () => {
  const limits = limitsOf(facts({ caps: [cap({ on_excess: 'drop' }), cap({ window_seconds: 61 })] }), AT);
  expect(refusingLimit(limits, [0, 0, 0])).toBeNull();
  expect(refusingLimit(limits, [0, 5, 9])).toBe(2);
  expect(refusingLimit(limits, [1, 5, 9])).toBe(0);
});
