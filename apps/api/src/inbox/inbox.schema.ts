import { z } from 'zod';
import type { InboxCounts, InboxItem } from '#database';
import { validationFailed } from '#domain';
import { withValue } from '../http/request-schema.pipe.js';
import { filteredPage, flag, id, time } from '../http/schemas.js';

/** Digits only, and few enough for a number without rounding: any other text would reach a query of many tenants. */
const SEQUENCE_NUMBER = /^\d{1,15}$/;
const SEQUENCE_NUMBER_RULE = 'must be a sequence number of 1 to 15 digits';
const sequenceNumber = z.string().regex(SEQUENCE_NUMBER, SEQUENCE_NUMBER_RULE).transform(Number);

/** Parses a sequence number from outside a parsed query. Throws `validation_failed` for any other text. */
export function parseSequenceNumber(text: string, pointer: string): number {
  if (SEQUENCE_NUMBER.test(text)) return Number(text);
  const message = withValue(SEQUENCE_NUMBER_RULE, text);
  throw validationFailed([{ pointer, code: 'invalid', message }]);
}

export const itemView = z
  .object({
    id,
    seq: z.int().meta({ description: 'Increases by one with each item of the recipient' }),
    title: z.string(),
    body: z.string(),
    action_url: z.string().nullable(),
    data: z.record(z.string(), z.string()).nullable(),
    category: z.string(),
    created_at: time,
    seen_at: time.nullable(),
    read_at: time.nullable(),
    archived_at: time.nullable(),
  })
  .meta({ id: 'InboxItem' });

export const countsView = z.object({ total: z.int(), unread: z.int(), unseen: z.int() }).meta({ id: 'InboxCounts' });

export const inboxQuery = filteredPage({
  unread: flag.optional(),
  archived: flag.optional(),
  category: z.string().max(255).optional(),
  after_seq: sequenceNumber.optional(),
});

export const streamQuery = z.strictObject({
  since: sequenceNumber.optional(),
  token: z.string().optional(),
});

export type ItemView = z.infer<typeof itemView>;

export function toItemView(item: InboxItem): ItemView {
  return {
    id: item.id,
    seq: item.seq,
    title: item.title,
    body: item.body,
    action_url: item.actionUrl,
    data: item.data,
    category: item.category,
    created_at: item.createdAt.toISOString(),
    seen_at: item.seenAt?.toISOString() ?? null,
    read_at: item.readAt?.toISOString() ?? null,
    archived_at: item.archivedAt?.toISOString() ?? null,
  };
}

/** A message of a stream, sent as JSON over WebSocket and server-sent events alike. */
export type Frame =
  | { type: 'ready'; last_seq: number; counts: InboxCounts }
  | { type: 'item'; item: ItemView }
  | { type: 'counts'; counts: InboxCounts }
  | {
      type: 'item_changed';
      id: string;
      seq: number;
      read_at: string | null;
      seen_at: string | null;
      archived_at: string | null;
    };
