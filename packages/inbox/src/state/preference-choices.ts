// The preferences of the recipient: what applies, and changes of it.

import type { EffectivePreferences, Inbox, Preferences } from '../../../client/src/inbox/index.js';

export type EffectiveCategory = EffectivePreferences['categories'][number];

export interface PreferenceState {
  categories: readonly EffectiveCategory[] | undefined;
  isSaving: boolean;
  isSaved: boolean;
  error: unknown;
}

const EMPTY: PreferenceState = { categories: undefined, isSaving: false, isSaved: false, error: undefined };

export class PreferenceChoices {
  state = EMPTY;
  /** One change after the other, so that none undoes another. */
  private saving: Promise<void> = Promise.resolve();
  /** The stream does not report preferences: other pages of this browser do. */
  private readonly others: BroadcastChannel;

  constructor(
    private readonly inbox: Inbox,
    url: string,
    private readonly onUpdate: () => void,
  ) {
    this.others = new BroadcastChannel(`carillon-preferences ${url}`);
    this.others.onmessage = () => void this.load();
    void this.load();
  }

  close(): void {
    this.others.close();
  }

  async load(): Promise<void> {
    try {
      const { categories } = await this.inbox.effectivePreferences();
      this.enter({ categories, error: undefined });
    } catch (error) {
      this.enter({ error });
    }
  }

  /** Reads the choices again before it replaces them, so that those of another page stay. */
  set(choice: Choice): void {
    const { categories } = this.state;
    this.enter({ categories: categories?.map((one) => shownWith(one, choice)), isSaving: true, isSaved: false });
    this.saving = this.saving.then(() => this.save(choice));
  }

  private async save(choice: Choice): Promise<void> {
    try {
      const [own, effective] = await Promise.all([this.inbox.preferences(), this.inbox.effectivePreferences()]);
      await this.inbox.putPreferences(withChoice(own, effective, choice));
    } catch (error) {
      // Shows again what is stored, as far as it is known.
      const undone = { ...choice, enabled: !choice.enabled };
      const categories = this.state.categories?.map((one) => shownWith(one, undone));
      this.enter({ categories, error, isSaving: false });
      return;
    }
    this.others.postMessage('changed');
    // The choice is stored: if the preferences cannot be read now, they stay as they are shown.
    const stored = await this.inbox.effectivePreferences().catch(() => this.state);
    this.enter({ categories: stored.categories, error: undefined, isSaving: false, isSaved: true });
  }

  private enter(change: Partial<PreferenceState>): void {
    this.state = { ...this.state, ...change };
    this.onUpdate();
  }
}

export interface Choice {
  key: string;
  channel: string;
  enabled: boolean;
}

function shownWith(category: EffectiveCategory, { key, channel, enabled }: Choice): EffectiveCategory {
  const before = category.channels[channel];
  if (category.key !== key || !before) return category;
  return { ...category, channels: { ...category.channels, [channel]: { ...before, enabled } } };
}

/**
 * A channel that is off is off in every category. To switch it on for one category, it is switched on, and off in each
 * other category, as on the preference page of the API.
 */
export function withChoice(own: Preferences, effective: EffectivePreferences, choice: Choice): Preferences {
  const { channel, enabled } = choice;
  const opens = enabled && own.channels?.[channel] === false;
  const others = effective.categories.filter(({ key }) => opens && key !== choice.key);
  const categories = { ...own.categories };
  const choices = [...others.map(({ key }) => ({ key, channel, enabled: false })), choice];
  for (const { key, enabled: value } of choices) {
    const before = categories[key];
    categories[key] = { ...before, channels: { ...before?.channels, [channel]: value } };
  }
  return { ...own, channels: { ...own.channels, ...(opens && { [channel]: true }) }, categories };
}
