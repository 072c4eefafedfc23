import type { CategoryTab, InboxTexts } from '../element-api.js';
import { ALL, ARCHIVED, categoryTab, UNREAD } from '../state/item-lists.js';
import type { LabelledTab } from './list-view.js';

export function labelledTabs(texts: InboxTexts, categories: readonly CategoryTab[]): LabelledTab[] {
  return [
    { ...ALL, label: texts.all, empty: texts.emptyAll },
    { ...UNREAD, label: texts.unread, empty: texts.emptyUnread },
    ...categories.map(({ key, label }) => ({ ...categoryTab(key), label, empty: texts.emptyAll })),
    { ...ARCHIVED, label: texts.archived, empty: texts.emptyArchived },
  ];
}
