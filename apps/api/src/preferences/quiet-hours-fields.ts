// The fields of quiet-hours-form.ts as HTML.

import { firstTimezone, type QuietHours, timezone, weekdays } from '#domain';
import { escaped } from '../pages/layout.js';
import { type QuietChoice, type QuietForm, quietFormOf, quietText } from './quiet-hours-form.js';
import type { RecipientPage } from './recipient-page.js';
import { filled } from './texts/page-texts.js';

export interface QuietFields {
  /** The stored hours. */
  hours: QuietHours | null;
  /** The zone that counts if the recipient chooses none. */
  profileZone: string;
  /** Fields that could not be saved. */
  rejected?: QuietForm | undefined;
  /** Whether they are not valid. */
  isFault: boolean;
}

let zones: string[] | undefined;

/** All zones that may be set. Other names for them, which the API accepts too, are not in the list. */
function knownZones(): string[] {
  zones ??= ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => timezone.safeParse(zone).success)];
  return zones;
}

export function quietFieldset({ hours, profileZone, rejected, isFault }: QuietFields, page: RecipientPage): string {
  const { language, brand } = page;
  const { texts } = language;
  const stored = quietFormOf(hours);
  const shown = rejected ?? stored;
  const described = isFault ? ' aria-invalid="true" aria-describedby="quieterror"' : '';
  const option = (choice: QuietChoice, text: string): string =>
    `<label><input type="radio" name="quiet" value="${choice}"${shown.choice === choice ? ' checked' : ''}> ` +
    `${escaped(text)}</label>`;
  const time = (name: string, label: string, value: string): string =>
    `<label>${escaped(label)} <input type="time" name="${name}" value="${escaped(value)}"${described}></label>`;
  const options = [
    option('default', filled(texts.quietDefault, { name: brand.name })),
    option('none', texts.quietNone),
    ...(stored.choice === 'keep' ? [option('keep', filled(texts.quietKeep, { hours: windowsOf(hours!) }))] : []),
    option('own', texts.quietOwn),
  ];
  const times = [time('quiet_from', texts.quietFrom, shown.from), time('quiet_to', texts.quietTo, shown.to)];
  return `<fieldset class="card"><legend>${escaped(texts.quietTitle)}</legend>
<p class="soft">${escaped(texts.quietText)}</p>
<input type="hidden" name="quiet_was" value="${escaped(quietText(stored))}">
${options.join('\n')}
<div class="fields">${times.join(' ')}</div>
<fieldset class="days"><legend>${escaped(texts.quietDays)}</legend>
${dayBoxes(shown, language.tag)}</fieldset>
<div class="fields"><label for="quiet_zone">${escaped(texts.quietZone)}</label>
<select id="quiet_zone" name="quiet_zone"${described}>
${zoneOptions(shown.zone, filled(texts.quietProfileZone, { zone: profileZone }))}</select></div>
${isFault ? `<p class="error" id="quieterror">${escaped(texts.quietFault)}</p>` : ''}</fieldset>`;
}

/** The zone of a recipient without a zone in the quiet hours. */
export function profileZoneOf(profile: { timezone: string | null } | null, tenantZone: string | undefined): string {
  return firstTimezone(profile?.timezone, tenantZone);
}

/** 2026-01-05 is a Monday. */
function dayBoxes({ days }: QuietForm, language: string): string {
  const names = new Intl.DateTimeFormat(language, { weekday: 'long', timeZone: 'UTC' });
  return weekdays
    .map((day, index) => {
      const name = names.format(Date.UTC(2026, 0, 5 + index));
      const checked = days.includes(day) ? ' checked' : '';
      return `<label><input type="checkbox" name="quiet_day" value="${day}"${checked}> ${escaped(name)}</label>`;
    })
    .join('\n');
}

function zoneOptions(selected: string, ofProfile: string): string {
  const names = new Set([...(selected === '' ? [] : [selected]), ...knownZones()]);
  const options = [...names].map((name) => zoneOption(name, name, selected));
  return [zoneOption('', ofProfile, selected), ...options].join('\n');
}

function zoneOption(value: string, text: string, selected: string): string {
  return `<option value="${escaped(value)}"${value === selected ? ' selected' : ''}>${escaped(text)}</option>`;
}

function windowsOf({ windows }: QuietHours): string {
  return windows.map(({ from, to }) => `${from}–${to}`).join(', ');
}
