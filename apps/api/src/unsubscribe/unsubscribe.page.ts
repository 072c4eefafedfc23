import { escaped } from '../pages/layout.js';
import { forms, type PreferencePage } from '../preferences/preference.page.js';
import { pageOf, type RecipientPage, recipientPage } from '../preferences/recipient-page.js';

/** Without an address for the form, a page has only the category of the link. */
export type UnsubscribeContent = Omit<PreferencePage, 'action'> & { action: string | null };

/** `category`: its name. Null if the recipient cannot leave it. */
interface Unsubscribing {
  category: string | null;
}

/**
 * Asks for confirmation, so that mail scanners that open every link do not unsubscribe anyone; and has all other
 * preferences.
 */
export function unsubscribePage(content: UnsubscribeContent & Unsubscribing): string {
  const page = pageOf(content.choices, content.language);
  const { texts } = content.language;
  const card =
    content.category === null
      ? ''
      : `<div class="card"><p>${sentence(texts.unsubscribeText, content.category)}</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button>${escaped(texts.unsubscribe)}</button></form></div>`;
  return recipientPage(page, texts.unsubscribeTitle, card + morePreferences(content, page));
}

export function unsubscribedPage(content: UnsubscribeContent & { category: string }): string {
  const page = pageOf(content.choices, content.language);
  const { texts } = content.language;
  return recipientPage(
    page,
    texts.unsubscribedTitle,
    `<div class="card done" role="status"><p>${sentence(texts.unsubscribed, content.category)}</p>
<p class="soft">${escaped(texts.mayArrive)}</p></div>${morePreferences(content, page)}`,
  );
}

function morePreferences({ action, ...content }: UnsubscribeContent, page: RecipientPage): string {
  if (action === null) return '';
  const title = escaped(page.language.texts.morePreferences);
  return `\n<h2>${title}</h2>${forms({ ...content, action }, page)}`;
}

function sentence(text: string, category: string): string {
  return escaped(text).replace('{category}', () => `<strong>${escaped(category)}</strong>`);
}
