// Defines `<carillon-inbox>`.

import { CarillonInbox } from './element/carillon-inbox.js';

export type {
  CarillonInboxElement,
  CategoryTab,
  InboxCounts,
  InboxEvents,
  InboxItem,
  InboxProperties,
  InboxTexts,
  PluralForms,
} from './element-api.js';

// A page may load the module from two addresses.
if (!customElements.get('carillon-inbox')) customElements.define('carillon-inbox', CarillonInbox);
