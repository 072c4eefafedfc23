import { html, nothing, type TemplateResult } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { repeat } from 'lit/directives/repeat.js';
import type { InboxItem } from '../element-api.js';
import type { Tab } from '../state/item-lists.js';
import type { TabState } from '../state/tab-loader.js';
import { type ItemContext, itemView } from './item-view.js';

export interface LabelledTab extends Tab {
  label: string;
  /** Without items. */
  empty: string;
}

export interface ListContext extends ItemContext {
  tabs: readonly LabelledTab[];
  selected: LabelledTab;
  items: readonly InboxItem[];
  state: TabState;
  /** The item whose controls the Tab key reaches. */
  activeId: string | undefined;
  onSelect(tab: Tab): void;
  onRetry(): void;
}

export function listView(context: ListContext): TemplateResult {
  const { tabs, selected, texts } = context;
  return html`<div class="tabs" part="tabs" role="tablist" aria-label=${texts.tabs}>
      ${tabs.map((tab) => tabButton(tab, tab.id === selected.id, context))}
    </div>
    <div
      class="scroller"
      part="list"
      role="tabpanel"
      id="items"
      aria-label=${selected.label}
      aria-busy=${context.state.loading === 'first'}
      tabindex=${context.items.length === 0 ? 0 : -1}
    >
      ${content(context)}
    </div>`;
}

function tabButton(tab: LabelledTab, isSelected: boolean, { onSelect }: ListContext): TemplateResult {
  return html`<button
    role="tab"
    part="tab"
    type="button"
    data-tab=${tab.id}
    aria-selected=${isSelected}
    aria-controls="items"
    tabindex=${isSelected ? 0 : -1}
    @click=${() => onSelect(tab)}
  >
    ${tab.label}
  </button>`;
}

function content(context: ListContext): TemplateResult {
  const { items, state, texts, selected } = context;
  if (items.length === 0 && state.failed) return failure(context);
  if (items.length === 0 && state.cursor === null && state.loading === 'no' && state.isCurrent)
    return html`<p class="words" part="empty">${selected.empty}</p>`;
  if (items.length === 0 && state.cursor === null) return html`<p class="words">${texts.loading}</p>`;
  return html`<ul>
      ${repeat(
        items,
        (item) => item.id,
        (item) => cachedItem(item, context),
      )}
    </ul>
    ${footer(context)}`;
}

/** Renders again only what has changed: a list may have a thousand items. */
function cachedItem(item: InboxItem, context: ListContext): unknown {
  const isActive = item.id === context.activeId;
  const { texts, formats, now } = context;
  return guard([item, isActive, texts, formats, now], () => itemView(item, context, isActive));
}

function footer(context: ListContext): TemplateResult | typeof nothing {
  const { state, texts } = context;
  if (state.failed) return failure(context);
  if (state.cursor !== null) return html`<p class="words" id="next">${texts.loading}</p>`;
  return context.items.length > 20 ? html`<p class="words">${texts.end}</p>` : nothing;
}

function failure({ texts, onRetry }: ListContext): TemplateResult {
  return html`<div class="words" role="alert" part="error">
    <p>${texts.loadFailed}</p>
    <button class="plain" type="button" @click=${onRetry}>${texts.retry}</button>
  </div>`;
}
