import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Attempt,
  afterFailure,
  channels,
  counterOf,
  type DeliveryState,
  deliveryEventTypes,
  deliveryStates,
  isFinal,
  isId,
  laneOf,
  localeChain,
  type Mover,
  mayMove,
  messageFaultOf,
  newApiKey,
  newId,
  parseApiKey,
  smsSegments,
  statesBefore,
} from './index.js';

describe('ids', () => {
  it('are UUIDv7, strictly increasing, with the time in front', () => {
    const before = Date.now();
    const ids = Array.from({ length: 20_000 }, newId);
    expect(ids.every(isId)).toBe(true);
    expect(ids.every((id) => id[14] === '7' && '89ab'.includes(id[19]!))).toBe(true);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(Math.abs(Number.parseInt(ids[0]!.replace('-', '').slice(0, 12), 16) - before)).toBeLessThan(1_000);
  });
});

describe('api keys', () => {
  it('come apart as they were made, and every single change is noticed', () => {
    const key = newApiKey('test');
    expect(key.text).toMatch(/^car_test_[0-9A-Za-z]{44}$/);
    expect(parseApiKey(key.text)).toEqual({ mode: 'test', keyId: key.keyId, secret: key.secret });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: key.text.length - 1 }), fc.constantFrom(...'abcXYZ019_!'), (at, letter) => {
        const changed = key.text.slice(0, at) + letter + key.text.slice(at + 1);
        return changed === key.text || parseApiKey(changed) === null;
      }),
    );
  });
});

describe('the states of a delivery', () => {
  const movers: Mover[] = ['pipeline', 'tenant', 'receipt', 'operator'];

  it('never leave a final state but by a receipt or an operator', () => {
    for (const from of deliveryStates.filter(isFinal))
      for (const to of deliveryStates)
        for (const mover of ['pipeline', 'tenant'] as const)
          expect(mayMove(from, to, mover), `${from} → ${to} by ${mover}`).toBe(false);
  });

  it('bounce after delivered, and stay bounced', () => {
    expect(mayMove('delivered', 'bounced', 'receipt')).toBe(true);
    expect(mayMove('bounced', 'delivered', 'receipt')).toBe(false);
    expect(statesBefore('delivered', 'receipt')).toEqual(['sent', 'unknown']);
    expect(statesBefore('waiting', 'operator')).toEqual(['failed']);
    // A delivery that ended without a send is never `delivered` at once: the receipt must first prove the send.
    expect(statesBefore('sent', 'receipt')).toEqual([
      'waiting',
      'unknown',
      'suppressed',
      'expired',
      'cancelled',
      'failed',
    ]);
  });

  it('end in any order of events in a state that a counter has, or wait', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...deliveryStates), fc.constantFrom(...movers))), (events) => {
        let state: DeliveryState = 'waiting';
        for (const [to, mover] of events) if (mayMove(state, to, mover)) state = to;
        return isFinal(state) === (counterOf(state) !== null);
      }),
    );
  });

  it('have an event each, if they are final', () => {
    const types: readonly string[] = deliveryEventTypes;
    expect(deliveryStates.filter((state) => isFinal(state) && !types.includes(`delivery.${state}`))).toEqual([]);
  });
});

describe('what follows a failed try', () => {
  const attempt = (outcome: Attempt['outcome']): Attempt => ({
    number: 1,
    provider: 'p',
    providerAccountId: null,
    outcome,
    code: 'c',
    detail: 'd',
    providerMessageId: null,
    durationMs: 1,
  });
  const position = { retries: 0, schedule: [5, 30], random: 0.5 };

  it('misconfigured retries every three minutes, 0.04 of a retry each, then fails', () => {
    expect(afterFailure(attempt('misconfigured'), null, position, 'resend')).toMatchObject({
      kind: 'retry',
      reason: 'provider_down',
      delaySeconds: 180,
      weight: 0.04,
    });
    expect(afterFailure(attempt('misconfigured'), null, { ...position, retries: 2 }, 'resend')).toMatchObject({
      kind: 'failed',
      reason: 'misconfigured',
    });
  });

  it.each(['rejected', 'bad_address'] as const)('%s ends it', (kind) => {
    expect(afterFailure(attempt(kind), null, position, 'resend')).toMatchObject({
      kind: 'failed',
      reason: kind,
      code: 'c',
    });
  });

  it('transient waits with full jitter, never beyond its step, and ends with the schedule', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 0, max: 3 }), (random, retries) => {
        const outcome = afterFailure(attempt('transient'), null, { ...position, random, retries }, 'hold');
        if (retries >= 2) return outcome.kind === 'failed' && outcome.reason === 'retries_exhausted';
        return (
          outcome.kind === 'retry' &&
          outcome.delaySeconds >= 0 &&
          outcome.delaySeconds <= position.schedule[retries]! &&
          outcome.weight === 1
        );
      }),
    );
  });

  it('throttled waits as long as the provider asks, between a second and an hour, and uses a quarter of a retry', () => {
    const wait = (seconds: number) => afterFailure(attempt('throttled'), seconds, position, 'resend');
    expect(wait(17)).toMatchObject({ kind: 'retry', reason: 'provider_limit', delaySeconds: 17, weight: 0.25 });
    expect(wait(0)).toMatchObject({ delaySeconds: 1 });
    expect(wait(86_400)).toMatchObject({ delaySeconds: 3_600 });
  });

  it('unknown is sent again or held, as the policy says', () => {
    expect(afterFailure(attempt('unknown'), null, position, 'hold')).toMatchObject({ kind: 'unknown' });
    expect(afterFailure(attempt('unknown'), null, position, 'resend')).toMatchObject({
      kind: 'retry',
      reason: 'retry',
    });
  });
});

describe('small rules', () => {
  it('lanes', () => {
    expect([1, 3, 4, 6, 7, 10].map(laneOf)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it.each([
    ['', 'gsm7', 1, 0],
    ['a'.repeat(160), 'gsm7', 1, 160],
    ['a'.repeat(161), 'gsm7', 2, 161],
    ['a'.repeat(306), 'gsm7', 2, 306],
    ['a'.repeat(307), 'gsm7', 3, 307],
    ['€'.repeat(80), 'gsm7', 1, 160],
    // An escape and its character stay together: 76 of them in a part of 153.
    ['€'.repeat(153), 'gsm7', 3, 306],
    ['Grüße, çedille', 'ucs2', 1, 14],
    ['ж'.repeat(70), 'ucs2', 1, 70],
    ['ж'.repeat(71), 'ucs2', 2, 71],
    // Two units each, 33 in a part of 67.
    ['😀'.repeat(35), 'ucs2', 1, 70],
    ['😀'.repeat(67), 'ucs2', 3, 134],
  ])('an SMS of %j is %s, %i segments', (text, encoding, segments, units) => {
    expect(smsSegments(text)).toEqual({ encoding, segments, units });
  });

  it.each([
    ['email', 'subject', 998],
    ['email', 'from', 998],
    ['email', 'reply_to', 998],
    ['push', 'title', 998],
    ['push', 'image_url', 2_048],
    ['in_app', 'title', 998],
    ['in_app', 'action_url', 2_048],
  ] as const)('a message of %s has a bound for %s: %i characters', (channel, field, most) => {
    const fault = (length: number) => messageFaultOf(channels[channel], { [field]: 'a'.repeat(length) }, {});
    expect(fault(most)).toBeNull();
    expect(fault(most + 1)).toBe(`${field} has ${most + 1} characters, at most ${most} are allowed`);
  });

  it('an SMS has a bound in segments, and one far beyond it is not counted', () => {
    const fault = (text: string, smsMaxSegments?: number) => messageFaultOf(channels.sms, { text }, { smsMaxSegments });
    expect(fault('a'.repeat(1_530))).toBeNull();
    expect(fault('a'.repeat(1_531))).toBe('the text takes 11 segments, at most 10 are allowed');
    expect(fault('a'.repeat(1_000_000))).toBe('the text has 1000000 characters, at most 10 segments are allowed');
    expect(fault('a'.repeat(161), 1)).toBe('the text has 161 characters, at most 1 segments are allowed');
  });

  it('locales fall back from the particular to the general', () => {
    expect(localeChain('fr-CA', 'de-AT')).toEqual(['fr-CA', 'fr', 'de-AT', 'de', 'en']);
    expect(localeChain(null, null)).toEqual(['en']);
    expect(localeChain('en-GB', 'en')).toEqual(['en-GB', 'en']);
  });
});
