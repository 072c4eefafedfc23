import { LRUCache } from 'lru-cache';
import type { Budget } from './budget.ts';

/** A formatter takes about 30 kB. Creating one takes 0.1 ms (6 ms for the first of a large locale), using it 1 µs. */
const MAX_FORMATTERS = 100;
/** So many that an inline render can create one at most. */
const STEPS_TO_CREATE = 4_000;
const STEPS_TO_USE = 10;

const formatters = new LRUCache<string, Intl.NumberFormat | Intl.DateTimeFormat>({ max: MAX_FORMATTERS });

export function numberFormat(locale: unknown, digits: unknown, budget: Budget): Intl.NumberFormat {
  const places = typeof digits === 'number' && digits >= 0 && digits <= 20 ? digits : undefined;
  const language = languageOf(locale);
  return cached(
    `number ${language} ${places}`,
    budget,
    () =>
      new Intl.NumberFormat(
        language,
        places === undefined ? {} : { minimumFractionDigits: places, maximumFractionDigits: places },
      ),
  );
}

/** Throws `RangeError` for an unknown time zone. */
export function dateFormat(locale: unknown, timezone: unknown, budget: Budget): Intl.DateTimeFormat {
  const zone = typeof timezone === 'string' ? timezone.slice(0, 64) : 'UTC';
  const language = languageOf(locale);
  return cached(
    `date ${language} ${zone}`,
    budget,
    () => new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone: zone }),
  );
}

function cached<Format extends Intl.NumberFormat | Intl.DateTimeFormat>(
  key: string,
  budget: Budget,
  make: () => Format,
): Format {
  budget.spend(STEPS_TO_USE);
  const known = formatters.get(key);
  if (known) return known as Format;
  budget.spend(STEPS_TO_CREATE);
  const made = make();
  formatters.set(key, made);
  return made;
}

// Creates the first formatters at the start, because they take 30 ms.
new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' }).format(0);
new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(0);

function languageOf(locale: unknown): string {
  return typeof locale === 'string' && /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/.test(locale) ? locale : 'en';
}
