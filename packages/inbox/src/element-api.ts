// The types of the element, without those of Lit, so that pages need nothing else installed.

import type { InboxTexts } from './texts/inbox-texts.js';

export type { InboxTexts, PluralForms } from './texts/inbox-texts.js';

/** One entry of the inbox, as `GET /api/v1/inbox` has it. */
export interface InboxItem {
  id: string;
  /** Increases by one with each item of the recipient. */
  seq: number;
  title: string;
  body: string;
  action_url: string | null;
  data: Record<string, string> | null;
  category: string;
  created_at: string;
  seen_at: string | null;
  read_at: string | null;
  archived_at: string | null;
}

export interface InboxCounts {
  total: number;
  unread: number;
  unseen: number;
}

/** A tab for the items of one category. */
export interface CategoryTab {
  /** The key of the category. */
  key: string;
  label: string;
}

export interface InboxEvents {
  /** A recipient opens an item. `preventDefault()` keeps the browser from following its link. */
  'carillon-open-item': CustomEvent<{ item: InboxItem }>;
  /** An item has arrived while the page is open. */
  'carillon-item': CustomEvent<{ item: InboxItem }>;
  /** The counters have changed. */
  'carillon-unread': CustomEvent<InboxCounts>;
  /** `live`: items arrive as they are created. `closed`: the token was rejected and there is no other one. */
  'carillon-state': CustomEvent<{ state: 'connecting' | 'live' | 'waiting' | 'closed' }>;
  /** A request has failed, or the stream was closed. `error` is a `CarillonError`: `code`, `detail`, `status`. */
  'carillon-error': CustomEvent<{ error: unknown }>;
}

export interface InboxProperties {
  /** Of the API, such as `https://carillon.example.com`. Attribute `url`. Default: the origin of the page. */
  url: string;
  /** A recipient token. Attribute `token`. When it expires, `tokenProvider` is called if there is one. */
  token: string | undefined;
  /** Gets a token from your backend. It is called again when a token has expired. */
  tokenProvider: (() => string | Promise<string>) | undefined;
  /** `popover` (default): a bell that opens a panel. `inline`: the panel alone, in the page. Attribute `mode`. */
  mode: 'popover' | 'inline';
  /** Whether the panel is open; without meaning for `inline`. Attribute `open`. */
  open: boolean;
  /** Whether there is a view of preferences. Its tokens need the scope `preferences:write`. Attribute `preferences`. */
  preferences: boolean;
  /** Shows no toast for new items. Attribute `no-toasts`. */
  noToasts: boolean;
  /** Further tabs. */
  categories: readonly CategoryTab[];
  /** Texts instead of the English ones: a language module, or single texts. */
  texts: Partial<InboxTexts>;
}

export interface CarillonInboxElement extends HTMLElement, InboxProperties {
  readonly counts: InboxCounts;
  addEventListener<Name extends keyof InboxEvents>(
    type: Name,
    listener: (this: CarillonInboxElement, event: InboxEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'carillon-inbox': CarillonInboxElement;
  }
}
