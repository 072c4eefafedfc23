// The texts of the pages that recipients see, one file for each language. A new language is a file and a line here.

import { localeChain } from '#domain';
import { ar } from './ar.js';
import { de } from './de.js';
import { en, type PageTexts } from './en.js';
import { es } from './es.js';
import { fr } from './fr.js';

export interface PageLanguage {
  tag: string;
  direction: 'ltr' | 'rtl';
  texts: PageTexts;
}

const languages: Readonly<Record<string, PageLanguage>> = {
  en: { tag: 'en', direction: 'ltr', texts: en },
  de: { tag: 'de', direction: 'ltr', texts: de },
  fr: { tag: 'fr', direction: 'ltr', texts: fr },
  es: { tag: 'es', direction: 'ltr', texts: es },
  ar: { tag: 'ar', direction: 'rtl', texts: ar },
};

/** Longer headers are cut: browsers send a few languages. */
const MAX_HEADER = 200;

/** The language of the recipient's locale, else the best one of `Accept-Language` (RFC 9110), else English. */
export function pageLanguage(locale: string | null, acceptLanguage: string | undefined): PageLanguage {
  for (const wanted of [locale, ...acceptedTags(acceptLanguage)]) {
    const known =
      wanted && localeChain(wanted, null).find((tag) => Object.hasOwn(languages, tag) && wanted.startsWith(tag));
    if (known) return languages[known]!;
  }
  return languages['en']!;
}

function acceptedTags(header = ''): string[] {
  return header
    .slice(0, MAX_HEADER)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';').map((text) => text.trim());
      const quality = parameters.find((text) => text.startsWith('q='))?.slice(2);
      return { tag: tag.toLowerCase(), quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ tag, quality }) => /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/.test(tag) && quality > 0)
    .toSorted((one, two) => two.quality - one.quality)
    .map(({ tag }) => tag);
}

/** Replaces `{name}` and the like. */
export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
