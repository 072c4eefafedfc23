import { expect, it } from 'vitest';
import { PREFERENCES, PROFILE, SeenRecipients } from './seen-recipients.js';

it('knows the parts of each recipient, also after it has grown many times', () => {
  const seen = new SeenRecipients();
  for (let at = 0; at < 50_000; at += 1) expect(seen.note(`user-${at}`, at % 2 ? PROFILE : PREFERENCES)).toBe(0);
  expect(seen.note('user-7', PROFILE)).toBe(PROFILE);
  expect(seen.note('user-7', PREFERENCES)).toBe(PROFILE);
  expect(seen.note('user-7', PREFERENCES)).toBe(PROFILE | PREFERENCES);
  expect(seen.note('user-8', PROFILE)).toBe(PREFERENCES);
});

it('does not note a row of which a part was there', () => {
  const seen = new SeenRecipients();
  seen.note('ann', PROFILE);
  seen.note('ann', PROFILE | PREFERENCES);
  expect(seen.note('ann', PREFERENCES)).toBe(PROFILE);
});

it('does not note a row without parts, such as one with devices only', () => {
  const seen = new SeenRecipients();
  expect([seen.note('bob', 0), seen.note('bob', PROFILE)]).toEqual([0, 0]);
});

it('takes a row again after it was refused', () => {
  const seen = new SeenRecipients();
  seen.note('ann', PROFILE | PREFERENCES);
  seen.forget('ann', PROFILE);
  expect([seen.note('ann', PROFILE), seen.note('ann', PREFERENCES)]).toEqual([PREFERENCES, PROFILE | PREFERENCES]);
});
