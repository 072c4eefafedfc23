import { html, nothing, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import type { InboxTexts } from '../element-api.js';
import type { EffectiveCategory, PreferenceChoices } from '../state/preference-choices.js';

/** The channels that reach a person. */
const CHANNELS = ['email', 'sms', 'push', 'in_app', 'chat'];
/** The category of messages that name none. */
const DEFAULT_CATEGORY = 'default';

export function preferencesView(choices: PreferenceChoices, texts: InboxTexts): TemplateResult {
  const { categories, isSaved, isSaving, error } = choices.state;
  const isDenied = (error as { status?: number } | undefined)?.status === 403;
  return html`<div class="scroller" part="preferences" aria-busy=${isSaving}>
    <div class="preferences">
      ${error === undefined ? nothing : fault(choices, isDenied ? texts.preferencesDenied : texts.actionFailed, texts)}
      ${categories === undefined && error === undefined ? html`<p class="words">${texts.loading}</p>` : nothing}
      ${categories === undefined ? nothing : html`<p>${texts.preferencesIntro}</p>`}
      ${categories?.map((category, index) => fieldset(category, index, choices, texts))}
      <p class="note" role="status">${isSaved ? texts.saved : ''}</p>
    </div>
  </div>`;
}

function fault(choices: PreferenceChoices, text: string, texts: InboxTexts): TemplateResult {
  return html`<div class="words" role="alert">
    <p>${text}</p>
    <button class="plain" type="button" @click=${() => choices.load()}>${texts.retry}</button>
  </div>`;
}

function fieldset(
  category: EffectiveCategory,
  index: number,
  choices: PreferenceChoices,
  texts: InboxTexts,
): TemplateResult {
  const { key, name, channels } = category;
  const notes = notesOf(category, index, texts);
  const boxes = CHANNELS.filter((channel) => channel in channels).map((channel) => {
    const { enabled, changeable } = channels[channel]!;
    const note = notes.find((one) => one.channels.includes(channel));
    const onChange = (event: Event): void =>
      choices.set({ key, channel, enabled: (event.target as HTMLInputElement).checked });
    return html`<label
      ><input
        type="checkbox"
        .checked=${live(enabled)}
        ?disabled=${!changeable}
        aria-describedby=${note?.id ?? nothing}
        @change=${onChange}
      />${texts.channels[channel] ?? channel}</label
    >`;
  });
  return html`<fieldset part="category">
    <legend>${name ?? (key === DEFAULT_CATEGORY ? texts.otherMessages : key)}</legend>
    ${boxes} ${notes.map(({ id, text }) => html`<p class="note" id=${id}>${text}</p>`)}
  </fieldset>`;
}

interface Note {
  id: string;
  channels: string[];
  text: string;
}

/** Explains the choices that cannot be changed: one text for each reason. */
function notesOf({ channels }: EffectiveCategory, index: number, texts: InboxTexts): Note[] {
  const reasons = [
    { text: texts.alwaysSent, rule: 'category.mandatory', on: [true, false] },
    { text: texts.enforcedOn, rule: 'tenant.enforced', on: [true] },
    { text: texts.enforcedOff, rule: 'tenant.enforced', on: [false] },
  ];
  return reasons.flatMap(({ text, rule, on }, number) => {
    const concerned = CHANNELS.filter((channel) => {
      const choice = channels[channel];
      return choice && !choice.changeable && choice.rule === rule && on.includes(choice.enabled);
    });
    if (concerned.length === 0) return [];
    const list = concerned.map((channel) => texts.channels[channel] ?? channel).join(', ');
    return [{ id: `note-${index}-${number}`, channels: concerned, text: text.replace('{channels}', list) }];
  });
}
