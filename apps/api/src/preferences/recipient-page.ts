import type { RecipientChoices } from '#database';
import { escaped, page } from '../pages/layout.js';
import { type Brand, brandOf } from './brand.js';
import { filled, type PageLanguage } from './texts/page-texts.js';

const STYLE = `
header { max-width: none; background: var(--brand); color: var(--onbrand);
  padding-inline: max(1rem, calc((100% - 46rem) / 2 + 1rem)); margin: 0 0 1rem; }
header p { margin: 0; flex-basis: 100%; }
button { background: var(--brand); color: var(--onbrand); border-color: var(--ink); }
button.plain { background: transparent; color: var(--ink); border-color: var(--ink); }
:focus-visible { outline-color: var(--ink); }
fieldset { min-width: 0; }
legend { font-weight: 600; padding: 0 .4rem; }
label { display: flex; gap: .6rem; align-items: center; min-height: 2.75rem; }
label.fixed { color: var(--soft); }
input[type=checkbox], input[type=radio] { width: 1.25rem; height: 1.25rem; flex: none; margin: 0; }
input[type=time], select { font: inherit; min-height: 2.75rem; min-width: 0; max-width: 100%; color: inherit; }
.fields, .days { display: flex; flex-wrap: wrap; gap: 0 1.5rem; }
.days { border: 0; padding: 0; margin: .5rem 0 0; }
.days legend { padding: 0; }
.error { color: light-dark(#a3161f, #ffb3ad); margin: .25rem 0; }
.done { border-inline-start: 4px solid light-dark(#1c6e34, #7fd69a); }
`;

/** The language and the look of all pages of one recipient. */
export interface RecipientPage {
  language: PageLanguage;
  brand: Brand;
}

/** A page with the tenant's name and colour, in the recipient's language. `body`: HTML. */
export function recipientPage({ language, brand }: RecipientPage, title: string, body: string): string {
  const from = filled(language.texts.from, { name: brand.name });
  return page(
    escaped(`${title} · ${brand.name}`),
    `<h1>${escaped(title)}</h1><p>${escaped(from)}</p>`,
    `<main>${body}</main>`,
    { language: language.tag, direction: language.direction, style: STYLE + brand.style },
  );
}

export function pageOf(choices: RecipientChoices, language: PageLanguage): RecipientPage {
  return { language, brand: brandOf(choices.tenant) };
}
