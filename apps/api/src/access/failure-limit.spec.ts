import { expect, it } from 'vitest';
import { DomainError } from '#domain';
import { FailureLimit, sourceOf } from './failure-limit.js';

it.each([
  ['203.0.113.9', '203.0.113.9'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::5:6:7:8:9', '2001:db8:0:5::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('the source of %s is %s', (address, source) => expect(sourceOf(address)).toBe(source));

it('refuses look-ups beyond the limits, and only of a source that is over its own', () => {
  const limit = new FailureLimit('wrong keys');
  const wrong = new DomainError('unauthenticated', 'wrong');
  const codes = Array.from({ length: 70 }, () => limit.count('a', wrong).code);
  expect([codes[59], codes[69]]).toEqual(['unauthenticated', 'rate_limited']);
  for (let lookup = 0; lookup < 600; lookup += 1) limit.takeLookup('a');
  expect(() => limit.takeLookup('a')).toThrow('Too many wrong keys from this address.');
  limit.takeLookup('b');
  expect(() => limit.check('a')).toThrow('Too many wrong keys from this address.');
  limit.check('b');
});
