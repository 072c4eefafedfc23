/** A text for each plural form of the language (CLDR names); `{count}` is replaced. */
export type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

export interface InboxTexts {
  /** BCP 47 tag of the language of these texts. Times and numbers have its format. */
  lang: string;
  title: string;
  /** The name of the bell. */
  bell: string;
  unreadCount: PluralForms;
  newItems: PluralForms;
  all: string;
  unread: string;
  archived: string;
  tabs: string;
  markAllRead: string;
  markRead: string;
  markUnread: string;
  archive: string;
  unarchive: string;
  close: string;
  /** Of an item, for screen readers. */
  isUnread: string;
  emptyAll: string;
  emptyUnread: string;
  emptyArchived: string;
  loading: string;
  loadFailed: string;
  actionFailed: string;
  retry: string;
  end: string;
  offline: string;
  reconnecting: string;
  ended: string;
  newItem: string;
  preferences: string;
  back: string;
  preferencesIntro: string;
  preferencesDenied: string;
  saved: string;
  otherMessages: string;
  /** With `{channels}`, as the next two. */
  alwaysSent: string;
  enforcedOn: string;
  enforcedOff: string;
  channels: Record<string, string>;
}
