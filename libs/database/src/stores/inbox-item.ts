export interface InboxItem {
  id: string;
  seq: number;
  title: string;
  body: string;
  actionUrl: string | null;
  data: Record<string, string> | null;
  category: string;
  createdAt: Date;
  seenAt: Date | null;
  readAt: Date | null;
  archivedAt: Date | null;
}

export interface InboxCounts {
  total: number;
  unread: number;
  unseen: number;
}

export interface InboxHead {
  lastSeq: number;
  counts: InboxCounts;
}

export type InboxChange = 'read' | 'unread' | 'seen' | 'archive' | 'unarchive';

export interface InboxFilter {
  unread?: boolean | undefined;
  archived?: boolean | undefined;
  category?: string | undefined;
  /** Items after this number, oldest first, for a client that was disconnected. */
  afterSeq?: number | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** The counters of inbox items; archived ones are not counted. */
export const INBOX_COUNTS = `
  count(*) filter (where archived_at is null) as total,
  count(*) filter (where archived_at is null and read_at is null) as unread,
  count(*) filter (where archived_at is null and seen_at is null) as unseen`;
