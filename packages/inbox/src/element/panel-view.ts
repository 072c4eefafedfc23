import { html, nothing, type TemplateResult } from 'lit';
import type { InboxTexts } from '../element-api.js';
import type { Formats } from './formats.js';
import { backIcon, bellIcon, closeIcon, readAllIcon, settingsIcon } from './icons.js';

export interface PanelContext {
  texts: InboxTexts;
  formats: Formats;
  unread: number;
  isOpen: boolean;
  isInline: boolean;
  /** Whether there is a view of preferences. */
  hasPreferences: boolean;
  view: 'list' | 'preferences';
  onReadAll(): void;
  onView(view: 'list' | 'preferences'): void;
  onClose(): void;
}

export function bellView({ texts, formats, unread, isOpen }: PanelContext): TemplateResult {
  const name = unread > 0 ? `${texts.bell}, ${formats.counted(unread, texts.unreadCount)}` : texts.bell;
  return html`<button
    class="icon bell"
    part="bell"
    type="button"
    popovertarget="panel"
    aria-label=${name}
    aria-haspopup="dialog"
    aria-expanded=${isOpen}
  >
    ${bellIcon}
    ${unread > 0 ? html`<span class="badge" part="badge" aria-hidden="true">${formats.badge(unread)}</span>` : nothing}
  </button>`;
}

export function headView(context: PanelContext): TemplateResult {
  const { texts, view, isInline } = context;
  const isList = view === 'list';
  return html`<div class="head" part="header">
    ${isList ? nothing : iconButton('back', texts.back, backIcon, () => context.onView('list'))}
    <h2 id="title" tabindex="-1">${isList ? texts.title : texts.preferences}</h2>
    ${isList ? listButtons(context) : nothing}
    ${isInline ? nothing : iconButton('close', texts.close, closeIcon, context.onClose)}
  </div>`;
}

function listButtons({ texts, formats, unread, hasPreferences, isInline, onReadAll, onView }: PanelContext) {
  const count = html`<span class="count" part="badge">${formats.counted(unread, texts.unreadCount)}</span>`;
  const settings = iconButton('preferences', texts.preferences, settingsIcon, () => onView('preferences'));
  return html`${isInline && unread > 0 ? count : nothing}
  ${unread > 0 ? iconButton('read-all', texts.markAllRead, readAllIcon, onReadAll) : nothing}
  ${hasPreferences ? settings : nothing}`;
}

function iconButton(id: string, text: string, icon: TemplateResult, onClick: () => void): TemplateResult {
  return html`<button
    class="icon"
    part="header-action"
    id=${`button-${id}`}
    type="button"
    title=${text}
    aria-label=${text}
    @click=${onClick}
  >
    ${icon}
  </button>`;
}
