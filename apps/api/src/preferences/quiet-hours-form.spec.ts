import { expect, it } from 'vitest';
import type { QuietHours } from '#domain';
import { changedQuietForm, hoursIn, quietFormOf, quietText } from './quiet-hours-form.js';

const NIGHT: QuietHours = { timezone: 'Europe/Paris', windows: [{ days: ['mon', 'tue'], from: '21:30', to: '07:00' }] };
const SEVERAL: QuietHours = { windows: [...NIGHT.windows, { days: ['sun'], from: '12:00', to: '14:00' }] };

/** The form that a browser sends for the page with these hours, after these changes. */
function submitted(hours: QuietHours | null, changes: Record<string, string | string[]> = {}): URLSearchParams {
  const { choice, from, to, days, zone } = quietFormOf(hours);
  const fields = { quiet: choice, quiet_from: from, quiet_to: to, quiet_day: [...days], quiet_zone: zone };
  const body = new URLSearchParams({ quiet_was: quietText(quietFormOf(hours)) });
  for (const [name, value] of Object.entries({ ...fields, ...changes }))
    for (const one of [value].flat()) body.append(name, one);
  return body;
}
const saved = (hours: QuietHours | null, changes: Record<string, string | string[]>): unknown => {
  const form = changedQuietForm(submitted(hours, changes));
  return form && hoursIn(form, hours);
};

it.each([[null], [{ windows: [] }], [NIGHT], [SEVERAL]])('a form without a change saves nothing: %j', (hours) => {
  expect(changedQuietForm(submitted(hours))).toBeNull();
});

it('each choice is saved', () => {
  const own = { quiet: 'own', quiet_from: '23:00', quiet_to: '06:00', quiet_day: ['sun', 'fri'], quiet_zone: '' };
  const windows = [{ days: ['fri', 'sun'], from: '23:00', to: '06:00' }];
  expect(saved(null, own)).toEqual({ windows });
  expect(saved(NIGHT, { ...own, quiet_zone: 'Asia/Tokyo' })).toEqual({ timezone: 'Asia/Tokyo', windows });
  expect(saved(SEVERAL, own)).toEqual({ windows });
  expect(saved(NIGHT, { quiet: 'none' })).toEqual({ windows: [] });
  expect(saved(SEVERAL, { quiet: 'default' })).toBeNull();
  expect(changedQuietForm(submitted(SEVERAL, { quiet: 'default' }))).toMatchObject({ choice: 'default' });
});

it('a changed window is used without a click on its choice', () => {
  expect(saved(null, { quiet_from: '20:00' })).toMatchObject({ windows: [{ from: '20:00', to: '08:00' }] });
  expect(saved(SEVERAL, { quiet_zone: 'Asia/Tokyo' })).toMatchObject({ timezone: 'Asia/Tokyo', windows: [{}] });
});

it('several windows that were changed meanwhile are kept as they are then', () => {
  const form = { ...quietFormOf(SEVERAL), choice: 'keep' as const };
  expect(hoursIn(form, NIGHT)).toBe(NIGHT);
});

it.each([
  ['no start', { quiet_from: '' }],
  ['not a time', { quiet_to: '24:00' }],
  ['no day', { quiet_day: [] }],
  ['an unknown zone', { quiet_zone: 'Mars/Base' }],
  ['a long zone', { quiet_zone: 'x'.repeat(10_000) }],
  ['no free time', { quiet_from: '08:00', quiet_to: '08:00' }],
])('own hours with %s are not valid', (_, changes) => {
  expect(hoursIn(changedQuietForm(submitted(null, { quiet: 'own', ...changes }))!, null)).toBeUndefined();
});

it('unknown values change nothing', () => {
  expect(changedQuietForm(new URLSearchParams('quiet=constructor&quiet_was='))).toBeNull();
  expect(changedQuietForm(new URLSearchParams('on:news=email'))).toBeNull();
});
