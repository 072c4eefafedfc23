import { describe, expect, it } from 'vitest';
import { headSampler, type SamplerName } from './head-sampler.js';

const LOW = '00000000000000000000000000000001';
const HIGH = 'ffffffff000000000000000000000000';
const parent = (traceId: string, isSampled: boolean) => ({ traceId, spanId: '1'.repeat(16), isSampled });

describe('the decision at the begin of a trace', () => {
  it.each<[SamplerName, number, [boolean, boolean, boolean, boolean]]>([
    ['always_on', 1, [true, true, true, true]],
    ['always_off', 1, [false, false, false, false]],
    ['traceidratio', 0.5, [true, false, true, true]],
    ['parentbased_always_on', 1, [true, true, true, false]],
    ['parentbased_always_off', 1, [false, false, true, false]],
    ['parentbased_traceidratio', 0.5, [true, false, true, false]],
  ])('of %s with %f: for two ids, and for two decisions of the caller', (name, ratio, expected) => {
    const isSampled = headSampler(name, ratio);
    expect([
      isSampled(LOW, null),
      isSampled(HIGH, null),
      isSampled(LOW, parent(LOW, true)),
      isSampled(LOW, parent(LOW, false)),
    ]).toEqual(expected);
  });
});
