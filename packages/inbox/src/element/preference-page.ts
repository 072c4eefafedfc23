import type { LitElement } from 'lit';
import type { Inbox } from '../../../client/src/inbox/index.js';
import { PreferenceChoices } from '../state/preference-choices.js';

/** Switches between the list and the preferences. */
export class PreferencePage {
  /** While the preferences are shown. */
  choices: PreferenceChoices | undefined;

  constructor(private readonly host: LitElement & { url: string }) {}

  /** Undefined: shows the list again. */
  async show(inbox: Inbox | undefined): Promise<void> {
    this.close();
    if (inbox) this.choices = new PreferenceChoices(inbox, this.host.url, () => this.host.requestUpdate());
    this.host.requestUpdate();
    await this.host.updateComplete;
    const target = inbox ? '#button-back' : '#button-preferences';
    this.host.renderRoot.querySelector<HTMLElement>(target)?.focus();
  }

  close(): void {
    this.choices?.close();
    this.choices = undefined;
  }
}
