export { CarillonError, type FieldError, type LocalCode, RETRIED_STATUSES } from '../carillon-error.js';
export type { EffectivePreferences, InboxCounts, InboxItem, Preferences } from '../generated/types.gen.js';
export { Inbox, type InboxOptions, type InboxPage, type InboxQuery } from './inbox.js';
export type { InboxStream, ItemChange, StreamHandlers, StreamState } from './inbox-stream.js';
