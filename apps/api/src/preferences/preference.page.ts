import type { RecipientChoices } from '#database';
import { DEFAULT_CATEGORY, type EffectiveCategory, type EffectiveChoice, effectiveCategory } from '#domain';
import { escaped } from '../pages/layout.js';
import { type ChangeFault, type PageChannel, type PreferenceForm, pageChannels } from './preference-form.js';
import { profileZoneOf, type QuietFields, quietFieldset } from './quiet-hours-fields.js';
import type { QuietForm } from './quiet-hours-form.js';
import { pageOf, type RecipientPage, recipientPage } from './recipient-page.js';
import { filled, type PageLanguage } from './texts/page-texts.js';

export interface PreferencePage {
  choices: RecipientChoices;
  language: PageLanguage;
  /** Where the forms are sent, relative to the page. */
  action: string;
  /** Shown although the tenant has not created it: the category of the message with the link. */
  alsoCategory?: string;
  done?: 'saved' | 'everything';
  /** A form that could not be saved. */
  rejected?: {
    form: PreferenceForm;
    faults: readonly ChangeFault[];
    /** The fields for quiet hours, if they were changed, and whether they are valid. */
    quiet: QuietForm | null;
    isQuietFault: boolean;
  };
}

/** Works without JavaScript: forms with checkboxes, and a redirect after each. */
export function preferencePage(content: PreferencePage): string {
  const page = pageOf(content.choices, content.language);
  const { texts } = content.language;
  return recipientPage(page, texts.title, `${notice(content)}${forms(content, page)}`);
}

/** The forms without the page around them. */
export function forms(content: PreferencePage, page: RecipientPage): string {
  const { texts } = content.language;
  const action = escaped(content.action);
  const fieldsets = categoriesOf(content).map((category, index) => fieldset(category, index, content, page));
  return `<p>${escaped(texts.intro)}</p>
<form method="post" action="${action}">
${fieldsets.join('\n')}
${quietFieldset(quietFieldsOf(content), page)}
<p><button>${escaped(texts.save)}</button></p></form>
<section class="card"><h2>${escaped(texts.everythingTitle)}</h2>
<p>${escaped(texts.everythingText)}</p>
<form method="post" action="${action}"><input type="hidden" name="everything" value="off">
<button class="plain">${escaped(texts.everything)}</button></form></section>`;
}

function quietFieldsOf({ choices, rejected }: PreferencePage): QuietFields {
  return {
    hours: choices.preferences.quietHours,
    profileZone: profileZoneOf(choices.profile, choices.tenant.settings.timezone),
    rejected: rejected?.quiet ?? undefined,
    isFault: rejected?.isQuietFault ?? false,
  };
}

function notice({ done, rejected, language: { texts } }: PreferencePage): string {
  if (rejected) {
    const gone = rejected.faults.some(({ fault }) => fault === 'categoryGone');
    const text = gone ? texts.categoryGone : texts.nothingSaved;
    return `<p class="card error" role="alert">${escaped(text)}</p>`;
  }
  if (!done) return '';
  const text = done === 'saved' ? texts.saved : texts.everythingDone;
  return `<p class="card done" role="status">${escaped(text)}</p>`;
}

/** The categories of the tenant, then that of the message, then the one of messages without a category. */
function categoriesOf({ choices, alsoCategory }: PreferencePage): EffectiveCategory[] {
  const keys = choices.categories.map(({ key }) => key);
  const others = [...(alsoCategory === undefined ? [] : [alsoCategory]), DEFAULT_CATEGORY];
  return [...new Set([...keys, ...others])].map((key) => effectiveCategory(choices, key));
}

export function categoryName({ key, name }: Pick<EffectiveCategory, 'key' | 'name'>, { texts }: PageLanguage): string {
  return name ?? (key === DEFAULT_CATEGORY ? texts.otherMessages : key);
}

function fieldset(category: EffectiveCategory, index: number, content: PreferencePage, page: RecipientPage): string {
  const { key, channels } = category;
  const notes = notesOf(category, index, page);
  const faults = content.rejected?.faults.filter((fault) => fault.key === key) ?? [];
  const submitted = content.rejected?.form.get(key);
  const was = pageChannels.filter((channel) => channels[channel].changeable && channels[channel].enabled);
  const boxes = pageChannels.map((channel) => {
    const choice = channels[channel];
    const isTicked = submitted && choice.changeable ? submitted.on.has(channel) : choice.enabled;
    const fault = faults.some((one) => one.channel === channel);
    const described = [fault && `error${index}`, notes.find((note) => note.channels.includes(channel))?.id];
    return checkbox({ key, channel, choice, isTicked, fault, described: described.filter(Boolean).join(' ') }, page);
  });
  const error =
    faults.length > 0 ? `<p class="error" id="error${index}">${escaped(page.language.texts.cannotChange)}</p>` : '';
  return `<fieldset class="card"><legend>${escaped(categoryName(category, page.language))}</legend>
<input type="hidden" name="${escaped(`was:${key}`)}" value="${was.join(' ')}">
${boxes.join('\n')}
${notes.map(({ id, text }) => `<p class="soft" id="${id}">${escaped(text)}</p>`).join('\n')}${error}</fieldset>`;
}

interface Box {
  key: string;
  channel: PageChannel;
  choice: EffectiveChoice;
  isTicked: boolean;
  fault: boolean;
  /** Ids of the elements that explain it. */
  described: string;
}

function checkbox({ key, channel, choice, isTicked, fault, described }: Box, { language }: RecipientPage): string {
  const attributes = [
    `type="checkbox" name="${escaped(`on:${key}`)}" value="${channel}"`,
    isTicked && 'checked',
    !choice.changeable && 'disabled',
    fault && 'aria-invalid="true"',
    described && `aria-describedby="${described}"`,
  ];
  const text = escaped(language.texts.channels[channel]);
  const label = choice.changeable ? '<label>' : '<label class="fixed">';
  return `${label}<input ${attributes.filter(Boolean).join(' ')}> ${text}</label>`;
}

interface Note {
  id: string;
  channels: PageChannel[];
  text: string;
}

/** Explains the choices that the recipient cannot change: one text for each reason. */
function notesOf({ channels }: EffectiveCategory, index: number, { language, brand }: RecipientPage): Note[] {
  const { texts } = language;
  const reasons = [
    ['always', texts.alwaysSent, ({ rule }: EffectiveChoice) => rule === 'category.mandatory'],
    ['on', texts.enforcedOn, ({ rule, enabled }: EffectiveChoice) => rule === 'tenant.enforced' && enabled],
    ['off', texts.enforcedOff, ({ rule, enabled }: EffectiveChoice) => rule === 'tenant.enforced' && !enabled],
  ] as const;
  return reasons.flatMap(([name, text, applies]) => {
    const concerned = pageChannels.filter((channel) => applies(channels[channel]));
    if (concerned.length === 0) return [];
    const list = concerned.map((channel) => texts.channels[channel]).join(', ');
    return [{ id: `${name}${index}`, channels: concerned, text: filled(text, { name: brand.name, channels: list }) }];
  });
}
