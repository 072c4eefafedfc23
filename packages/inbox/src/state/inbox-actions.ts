// Changes of items. They show at once; without a connection they wait, and are sent when there is one again.

import { CarillonError, type Inbox, RETRIED_STATUSES } from '../../../client/src/inbox/index.js';

export type ItemAction = 'read' | 'unread' | 'archive' | 'unarchive';
export type InboxAction =
  | { action: ItemAction; id: string }
  | { action: 'seenAll' }
  /** `ids`: of the unread items that are known. */
  | { action: 'readAll'; ids: readonly string[] };

/** After a connection was lost for a moment only, the stream does not report that it is back. */
const AGAIN_MS = 5_000;

export class InboxActions {
  private waiting: InboxAction[] = [];
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
    if (this.isFlushing) return;
    if (!navigator.onLine) return this.wait();
    this.isFlushing = true;
    clearTimeout(this.timer);
    try {
      for (let action = this.waiting[0]; action; action = this.waiting[0]) {
        if (!(await this.send(action))) {
          this.wait();
          this.timer = setTimeout(() => void this.flush(), AGAIN_MS);
          return;
        }
        this.waiting.shift();
      }
    } finally {
      this.isFlushing = false;
    }
  }

  /** Sent later, "read all" would also mark items that have arrived meanwhile. */
  private wait(): void {
    this.waiting = this.waiting.flatMap((one) =>
      one.action === 'readAll' ? one.ids.map((id) => ({ action: 'read' as const, id })) : [one],
    );
  }

  close(): void {
    clearTimeout(this.timer);
    this.waiting = [];
  }

  /** Returns false if there was no answer. */
  private async send(action: InboxAction): Promise<boolean> {
    try {
      await call(this.inbox, action);
    } catch (error) {
      if (!isRefusal(error)) return false;
      this.onFailure(action, error);
    }
    return true;
  }
}

/** Not without an answer, nor if the function that gets tokens has failed: the page's own server may be away too. */
function isRefusal(error: unknown): boolean {
  return error instanceof CarillonError && error.status !== undefined && !RETRIED_STATUSES.has(error.status);
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
    case 'archive':
      return await inbox.archive(action.id);
    case 'unarchive':
      return await inbox.unarchive(action.id);
  }
}
