import { html, nothing, type TemplateResult } from 'lit';
import type { InboxItem, InboxTexts } from '../element-api.js';
import type { ItemAction } from '../state/inbox-actions.js';
import type { Formats } from './formats.js';
import { archiveIcon, readIcon, unarchiveIcon, unreadIcon } from './icons.js';
import { safeUrl } from './safe-url.js';

export interface ItemContext {
  texts: InboxTexts;
  formats: Formats;
  /** Milliseconds; changes once a minute. */
  now: number;
  onOpen(event: Event, item: InboxItem): void;
  onAction(action: ItemAction, item: InboxItem): void;
}

/** `isActive`: the one item whose controls the Tab key reaches; the arrow keys move to the others. */
export function itemView(item: InboxItem, context: ItemContext, isActive: boolean): TemplateResult {
  const { texts, formats, now } = context;
  const isUnread = item.read_at === null;
  return html`<li
    class="item ${isUnread ? 'unread' : ''}"
    part="item ${isUnread ? 'item-unread' : ''}"
    data-id=${item.id}
  >
    <span class="dot"></span>
    <div class="text">
      <h3 part="item-title" dir="auto">${title(item, context, isActive)}</h3>
      ${isUnread ? html`<span class="hidden">${texts.isUnread}</span>` : nothing}
      ${item.body === '' ? nothing : html`<p class="body" part="item-body" dir="auto">${item.body}</p>`}
      <time part="item-time" datetime=${item.created_at} title=${formats.full(item.created_at)}
        >${formats.ago(item.created_at, now)}</time
      >
    </div>
    <div class="actions">${actions(item, context, isActive)}</div>
  </li>`;
}

/** A link if the item has an address that is safe to follow. */
export function title(item: InboxItem, { onOpen }: Pick<ItemContext, 'onOpen'>, isActive: boolean): TemplateResult {
  const url = safeUrl(item.action_url);
  const tabindex = isActive ? 0 : -1;
  const open = (event: Event): void => onOpen(event, item);
  if (url === null)
    return html`<button class="open" type="button" tabindex=${tabindex} @click=${open}>${item.title}</button>`;
  return html`<a class="open" href=${url} tabindex=${tabindex} @click=${open}>${item.title}</a>`;
}

function actions(item: InboxItem, { texts, onAction }: ItemContext, isActive: boolean): TemplateResult[] {
  const button = (action: ItemAction, text: string, icon: TemplateResult): TemplateResult =>
    html`<button
      class="icon"
      part="item-action"
      type="button"
      tabindex=${isActive ? 0 : -1}
      title=${text}
      aria-label="${text}: ${item.title}"
      @click=${() => onAction(action, item)}
    >
      ${icon}
    </button>`;
  if (item.archived_at !== null) return [button('unarchive', texts.unarchive, unarchiveIcon)];
  return [
    item.read_at === null ? button('read', texts.markRead, readIcon) : button('unread', texts.markUnread, unreadIcon),
    button('archive', texts.archive, archiveIcon),
  ];
}
