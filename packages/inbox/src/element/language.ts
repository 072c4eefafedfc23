import type { InboxTexts } from '../element-api.js';
import en from '../texts/en.js';
import { Formats } from './formats.js';

/** The texts of an element and the formats that belong to them. */
export class Language {
  readonly texts: InboxTexts;
  readonly formats: Formats;

  constructor(element: HTMLElement, texts: Partial<InboxTexts>) {
    this.texts = { ...en, ...texts, channels: { ...en.channels, ...texts.channels } };
    this.formats = new Formats(localeOf(element, this.texts.lang));
  }
}

/** The region of the page, such as `de-AT`, if the page has the language of the texts. */
function localeOf(element: HTMLElement, lang: string): string {
  const ofPage = element.closest<HTMLElement>('[lang]')?.lang ?? '';
  return ofPage.split('-')[0] === lang.split('-')[0] && isLocale(ofPage) ? ofPage : lang;
}

function isLocale(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length > 0;
  } catch {
    return false;
  }
}
