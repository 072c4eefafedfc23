// Changes of items. They show at once; without a connection they wait, and are sent when there is one again.

import { CarillonError, type Inbox } from '../../../client/src/inbox/index.js';

export type ItemAction = 'read' | 'unread' | 'seen' | 'archive' | 'unarchive';
export type InboxAction = { action: ItemAction; id: string } | { action: 'readAll' | 'seenAll' };

/** After a connection was lost for a moment only, the stream does not report that it is back. */
const AGAIN_MS = 5_000;

export class InboxActions {
  private readonly waiting: InboxAction[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isFlushing = false;

  constructor(
    private readonly inbox: Inbox,
    private readonly onFailure: (action: InboxAction, error: unknown) => void,
  ) {}

  async run(action: InboxAction): Promise<void> {
    // Keeps the order: "unread" after a "read" that waits.
    this.waiting.push(action);
    await this.flush();
  }

  /** Sends what waits, in order. Ends at the first one that gets no answer. */
  async flush(): Promise<void> {
    if (this.isFlushing || !navigator.onLine) return;
    this.isFlushing = true;
    clearTimeout(this.timer);
    try {
      for (let action = this.waiting[0]; action; action = this.waiting[0]) {
        if (!(await this.send(action))) {
          this.timer = setTimeout(() => void this.flush(), AGAIN_MS);
          return;
        }
        this.waiting.shift();
      }
    } finally {
      this.isFlushing = false;
    }
  }

  close(): void {
    clearTimeout(this.timer);
    this.waiting.length = 0;
  }

  /** Returns false if there was no answer. */
  private async send(action: InboxAction): Promise<boolean> {
    try {
      await call(this.inbox, action);
    } catch (error) {
      if (error instanceof CarillonError && error.status === undefined) return false;
      this.onFailure(action, error);
    }
    return true;
  }
}

async function call(inbox: Inbox, action: InboxAction): Promise<void> {
  switch (action.action) {
    case 'readAll':
      return await inbox.markAllRead();
    case 'seenAll':
      return await inbox.markAllSeen();
    case 'read':
      return await inbox.markRead(action.id);
    case 'unread':
      return await inbox.markUnread(action.id);
    case 'seen':
      return await inbox.markSeen(action.id);
    case 'archive':
      return await inbox.archive(action.id);
    case 'unarchive':
      return await inbox.unarchive(action.id);
  }
}
