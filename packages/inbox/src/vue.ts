// `<CarillonInbox>` for Vue 3.

import '@carillon/inbox';
import { defineComponent, h, type PropType } from 'vue';
import type { CategoryTab, InboxEvents, InboxProperties, InboxTexts } from './element-api.js';

const events = {
  openItem: (_event: InboxEvents['carillon-open-item']) => true,
  item: (_event: InboxEvents['carillon-item']) => true,
  unread: (_event: InboxEvents['carillon-unread']) => true,
  stateChange: (_event: InboxEvents['carillon-state']) => true,
  error: (_event: InboxEvents['carillon-error']) => true,
};

/** The element is the root, so that attributes such as `dir` and `class` are set on it. */
export const CarillonInbox = defineComponent({
  name: 'CarillonInbox',
  props: {
    url: { type: String, default: '' },
    token: { type: String, default: undefined },
    tokenProvider: { type: Function as PropType<NonNullable<InboxProperties['tokenProvider']>>, default: undefined },
    mode: { type: String as PropType<InboxProperties['mode']>, default: 'popover' },
    open: Boolean,
    preferences: Boolean,
    noToasts: Boolean,
    categories: { type: Array as PropType<CategoryTab[]>, default: () => [] },
    texts: { type: Object as PropType<Partial<InboxTexts>>, default: () => ({}) },
  },
  emits: events,
  setup:
    (props, { emit }) =>
    () =>
      h('carillon-inbox', {
        '.url': props.url,
        '.token': props.token,
        '.tokenProvider': props.tokenProvider,
        '.mode': props.mode,
        '.open': props.open,
        '.preferences': props.preferences,
        '.noToasts': props.noToasts,
        '.categories': props.categories,
        '.texts': props.texts,
        'onCarillon-open-item': (event: InboxEvents['carillon-open-item']) => emit('openItem', event),
        'onCarillon-item': (event: InboxEvents['carillon-item']) => emit('item', event),
        'onCarillon-unread': (event: InboxEvents['carillon-unread']) => emit('unread', event),
        'onCarillon-state': (event: InboxEvents['carillon-state']) => emit('stateChange', event),
        'onCarillon-error': (event: InboxEvents['carillon-error']) => emit('error', event),
      }),
});
