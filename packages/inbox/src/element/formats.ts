import type { PluralForms } from '../texts/inbox-texts.js';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Older items show their date. */
const RELATIVE_SECONDS = 7 * DAY;
/** A badge is small. */
const MAX_BADGE = 99;

/** Numbers, times and plural forms of one language. */
export class Formats {
  private readonly plurals: Intl.PluralRules;
  private readonly numbers: Intl.NumberFormat;
  private readonly relatives: Intl.RelativeTimeFormat;
  private readonly dates: Intl.DateTimeFormat;
  private readonly fullDates: Intl.DateTimeFormat;

  constructor(readonly lang: string) {
    this.plurals = new Intl.PluralRules(lang);
    this.numbers = new Intl.NumberFormat(lang);
    this.relatives = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' });
    this.dates = new Intl.DateTimeFormat(lang, { dateStyle: 'medium' });
    this.fullDates = new Intl.DateTimeFormat(lang, { dateStyle: 'full', timeStyle: 'short' });
  }

  counted(count: number, forms: PluralForms): string {
    const form = forms[this.plurals.select(count)] ?? forms.other;
    return form.replace('{count}', this.numbers.format(count));
  }

  badge(count: number): string {
    return count > MAX_BADGE ? `${this.numbers.format(MAX_BADGE)}+` : this.numbers.format(count);
  }

  /** `now` in milliseconds. */
  ago(time: string, now: number): string {
    const seconds = (Date.parse(time) - now) / 1_000;
    const age = Math.abs(seconds);
    if (age >= RELATIVE_SECONDS) return this.dates.format(new Date(time));
    if (age < MINUTE) return this.relatives.format(0, 'second');
    if (age < HOUR) return this.relatives.format(Math.round(seconds / MINUTE), 'minute');
    if (age < DAY) return this.relatives.format(Math.round(seconds / HOUR), 'hour');
    return this.relatives.format(Math.round(seconds / DAY), 'day');
  }

  full(time: string): string {
    return this.fullDates.format(new Date(time));
  }
}
