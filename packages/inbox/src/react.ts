// `<CarillonInbox>` for React 19, which sets properties of custom elements and listens to their events itself.

import '@carillon/inbox';
import { type AriaAttributes, type CSSProperties, createElement, type ReactElement, type Ref } from 'react';
import type { CarillonInboxElement, InboxEvents, InboxProperties } from './element-api.js';

export interface CarillonInboxProps extends Partial<InboxProperties>, AriaAttributes {
  ref?: Ref<CarillonInboxElement>;
  id?: string;
  className?: string;
  style?: CSSProperties;
  dir?: 'ltr' | 'rtl' | 'auto';
  lang?: string;
  /** `event.preventDefault()` keeps the browser from following the item's link. */
  onOpenItem?: (event: InboxEvents['carillon-open-item']) => void;
  onItem?: (event: InboxEvents['carillon-item']) => void;
  onUnread?: (event: InboxEvents['carillon-unread']) => void;
  onStateChange?: (event: InboxEvents['carillon-state']) => void;
  onError?: (event: InboxEvents['carillon-error']) => void;
}

export function CarillonInbox(props: CarillonInboxProps): ReactElement {
  const { onOpenItem, onItem, onUnread, onStateChange, onError, ...properties } = props;
  return createElement('carillon-inbox', {
    ...properties,
    'oncarillon-open-item': onOpenItem,
    'oncarillon-item': onItem,
    'oncarillon-unread': onUnread,
    'oncarillon-state': onStateChange,
    'oncarillon-error': onError,
  });
}
