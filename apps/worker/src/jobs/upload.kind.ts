import { createHash } from 'node:crypto';
import {
  type AcceptStore,
  type ChunkResult,
  deleteWaitingLines,
  endLines,
  type LockedJob,
  type NewlyRejectedLine,
  type NewNotification,
  nextLines,
  type SharedContentsStore,
  type Sql,
  type StoreResult,
  toNewNotification,
  type UploadLine,
} from '#database';
import { DomainError, itemErrorsOf, newId, noAddressErrors, type RecipientPart, type SharedPart } from '#domain';
import type { Logger } from '#telemetry';
import type { JobKind } from './job-kind.js';

type Item = RecipientPart & { idempotency_key?: string };

interface Input {
  head: SharedPart & { payload?: Record<string, unknown> };
  traceparent: string | null;
}

interface Cursor {
  /** The last line of the chunk before. */
  after?: number;
  /** The shared content of the notifications, and when it was stored. */
  content?: { id: string; at: number };
}

/** Younger shared content without a notification is not deleted: ExpiredRowsStore waits for an hour. */
const CONTENT_REUSED_MS = 30 * 60_000;

/**
 * Sends to the lines of an upload. The notifications of a chunk are committed before its cursor. If the worker is lost
 * in between, the chunk is repeated, and the idempotency keys of the lines prevent duplicates.
 */
export class UploadKind implements JobKind {
  readonly kind = 'upload';

  constructor(
    private readonly store: AcceptStore,
    private readonly sharedContents: SharedContentsStore,
    private readonly logger: Logger,
  ) {}

  async runChunk(job: LockedJob, sql: Sql): Promise<ChunkResult> {
    const cursor = job.cursor as Cursor;
    const lines = await nextLines(job, sql, cursor.after ?? 0);
    const waiting = lines.filter(({ item }) => item !== null);
    const content = waiting.length > 0 ? await this.contentOf(job) : cursor.content;
    const requests = requestsOf(job, waiting, content?.id ?? null);
    const stored = await this.store.acceptAll(requests);
    const accepted: number[] = [];
    const rejected: NewlyRejectedLine[] = [];
    for (const [position, { line, item }] of waiting.entries()) {
      const rejection = this.rejectionOf(job, item as Item, stored[position]!);
      if (rejection) rejected.push({ line, ...rejection });
      else accepted.push(line);
    }
    await endLines(job, sql, accepted, rejected);
    return {
      items: lines.length,
      done: accepted.length,
      failed: lines.length - accepted.length,
      cursor: { after: lines.at(-1)?.line ?? cursor.after ?? 0, ...(content && { content }) },
      isLast: lines.length === 0,
    };
  }

  /** Deletes the lines that wait. Accepted notifications stay. */
  async cancelChunk(job: LockedJob, sql: Sql): Promise<ChunkResult> {
    const last = await deleteWaitingLines(job, sql, (job.cursor as Cursor).after ?? 0);
    return { items: 0, done: 0, failed: 0, cursor: { after: last ?? 0 }, isLast: last === null };
  }

  /** Stores the content of the first line, once for many chunks. Undefined if the first line has none. */
  private async contentOf(job: LockedJob): Promise<Cursor['content']> {
    const { content, payload } = (job.input as unknown as Input).head;
    if (!content && !payload) return undefined;
    const { content: earlier } = job.cursor as Cursor;
    if (earlier && Date.now() - earlier.at < CONTENT_REUSED_MS) return earlier;
    const id = newId();
    await this.sharedContents.insert(job.tenantId, { id, content: content ?? null, payload: payload ?? null });
    return { id, at: Date.now() };
  }

  /** Null for an accepted line. Throws `unavailable` if the line may not have been accepted: the chunk is repeated. */
  private rejectionOf(
    { tenantId, id }: LockedJob,
    item: Item,
    stored: StoreResult | DomainError,
  ): Omit<NewlyRejectedLine, 'line'> | null {
    if (stored instanceof DomainError) {
      const { code } = stored;
      if (code === 'unavailable') throw stored;
      if (code === 'internal')
        this.logger.error({ err: stored, tenant_id: tenantId, job_id: id }, 'a line of an upload could not be stored');
      return { code, errors: itemErrorsOf(stored) };
    }
    if (stored.kind !== 'no_address') return null;
    return { code: 'no_address', errors: noAddressErrors(item, stored.channels) };
  }
}

/** `jsonb` orders the keys of objects, so the hash of a line is the same in every upload. */
function requestsOf(
  { tenantId, id, input }: LockedJob,
  lines: readonly UploadLine[],
  contentId: string | null,
): NewNotification[] {
  const { head, traceparent } = input as unknown as Input;
  const { content: _content, payload: _payload, ...shared } = head;
  const ofHead = createHash('sha256').update(JSON.stringify(head)).digest('hex');
  return lines.map(({ line, item, scheduledAt }) => {
    const { idempotency_key: own, ...recipient } = item as Item;
    const bodyHash = createHash('sha256')
      .update(`upload ${ofHead} ${JSON.stringify(recipient)}`)
      .digest('hex');
    const part = scheduledAt ? { ...shared, scheduled_at: scheduledAt.toISOString() } : shared;
    const key = own ?? `job:${id}:${line}`;
    const request = toNewNotification({ tenantId, traceparent }, part, recipient, { key, bodyHash });
    request.notification.sharedContentId = contentId;
    return request;
  });
}
