import { type ChannelId, laneName, laneOf, notFound } from '#domain';
import type { Database } from '../../../database.js';
import { type Page, type PageRequest, toCursor, toPage } from '../../../page.js';
import type { Statement } from '../../../statement.js';
import { type AuditNote, auditInsert, noteValues } from '../../audit/audit-entry.js';
import type { DeadLetterFilter } from './letter-conditions.js';
import {
  countStatement,
  LETTER_COLUMNS,
  type LettersToReplay,
  listStatement,
  MAX_EXAMINED,
  type ReplayPage,
  toReplayStatement,
} from './letter-pages.js';
import {
  AUDIT_FIELDS,
  type LetterScope,
  REPLAY,
  type ReplayedLetter,
  refusalOf,
  replayValues,
} from './replay-letter.js';

export interface DeadLetter {
  id: string;
  tenantId: string;
  deliveryId: string;
  notificationId: string;
  recipientId: string;
  channel: ChannelId;
  provider: string | null;
  reason: string;
  code: string | null;
  detail: string | null;
  attempts: number;
  failedAt: Date;
  replayedAt: Date | null;
  /** The time when a receipt proved that the delivery was sent. */
  settledAt: Date | null;
}

/** `isComplete` is false if there are more dead letters than were examined. The count is at least `count` then. */
export interface LetterCount {
  count: number;
  isComplete: boolean;
}

/** How the replay of one dead letter of a job ended. */
export type JobReplay = 'done' | 'skipped' | 'failed';

/** Failed deliveries, of one tenant or of all. */
export class DeadLettersStore {
  constructor(
    private readonly database: Database,
    private readonly onDue: (lanes: string[]) => void,
  ) {}

  /**
   * Newest first. A page examines at most {@link MAX_EXAMINED} dead letters: it may be short or empty although more
   * pages follow.
   */
  async list(scope: LetterScope, filter: DeadLetterFilter, page: PageRequest): Promise<Page<DeadLetter>> {
    const rows = await this.query<DeadLetter & { examinedTo: string | null }>(
      scope,
      listStatement(scope, filter, page),
    );
    const examinedTo = rows[0]?.examinedTo ?? null;
    const letters = rows.filter(({ id }) => id !== null).map(({ examinedTo: _place, ...letter }) => letter);
    const found = toPage(letters, page.limit, ({ id }) => id);
    return examinedTo === null ? found : { ...found, nextCursor: toCursor(examinedTo) };
  }

  /** Examines at most {@link MAX_EXAMINED} dead letters, the newest of the tenant. */
  async count(scope: LetterScope, filter: DeadLetterFilter): Promise<LetterCount> {
    const [row] = await this.query<LetterCount>(scope, countStatement(scope, filter));
    return row!;
  }

  /** Index: dead_letters_id_idx. */
  async get(scope: LetterScope, id: string): Promise<DeadLetter | null> {
    const text = `select ${LETTER_COLUMNS} from dead_letters where id = $1 and ($2::uuid is null or tenant_id = $2)`;
    const [letter] = await this.query<DeadLetter>(scope, { text, values: [id, scope] });
    return letter ?? null;
  }

  /**
   * Puts the delivery back into the queue, once, with its retries counted from zero. Throws `not_found`,
   * `already_replayed`, or `conflict` if the delivery is not failed any more or has expired.
   */
  async replay(scope: LetterScope, id: string, audit: AuditNote | null): Promise<DeadLetter> {
    const letter = await this.tryReplay(scope, id, audit, null);
    if (!letter) throw notFound('dead letter', id);
    if (!letter.replayed) throw refusalOf(id, letter);
    return (await this.get(scope, id))!;
  }

  /**
   * The same for a job: `done` also if this job has replayed it before; `skipped` if it needs no replay, because it was
   * replayed otherwise or its delivery is not failed any more; `failed` if it has expired or was discarded.
   */
  async replayForJob(scope: LetterScope, id: string, job: string): Promise<JobReplay> {
    const letter = await this.tryReplay(scope, id, null, job);
    if (!letter) return 'failed';
    if (letter.replayed || letter.replayJob === job) return 'done';
    return letter.replayedAt !== null || letter.state !== 'failed' ? 'skipped' : 'failed';
  }

  /** The next dead letters of a replay. Examines few, even if none of them matches. */
  async toReplay(scope: LetterScope, page: ReplayPage): Promise<LettersToReplay> {
    const [row] = await this.query<LettersToReplay>(scope, toReplayStatement(scope, page));
    return row!;
  }

  /**
   * Dead letters of one endpoint since a time, neither replayed nor settled, oldest first. Index: dead_letters_pkey.
   */
  async ofEndpoint(tenantId: string, endpointId: string, since: Date, limit: number): Promise<string[]> {
    const rows = await this.database.platform.query<{ id: string }>({
      text: `select id from dead_letters
             where tenant_id = $1 and channel = 'webhook' and recipient_id = $2 and failed_at >= $3
               and replayed_at is null and settled_at is null
             order by id limit $4`,
      values: [tenantId, endpointId, since, limit],
    });
    return rows.map(({ id }) => id);
  }

  /** Discards the entry; the delivery stays failed. */
  async delete(scope: LetterScope, id: string, audit: AuditNote | null): Promise<boolean> {
    const rows = await this.query(scope, { text: DISCARD, values: [id, ...noteValues(audit), scope] });
    return rows.length > 0;
  }

  private async tryReplay(
    scope: LetterScope,
    id: string,
    audit: AuditNote | null,
    job: string | null,
  ): Promise<ReplayedLetter | undefined> {
    const values = replayValues(scope, id, audit, job);
    const [letter] = await this.query<ReplayedLetter>(scope, { text: REPLAY, values });
    if (letter?.replayed) this.onDue([laneName(letter.channel, laneOf(letter.priority))]);
    return letter;
  }

  private async query<Row extends object>(scope: LetterScope, statement: Statement): Promise<Row[]> {
    return scope === null
      ? await this.database.platform.query<Row>(statement)
      : await this.database.queryForTenant<Row>(scope, statement);
  }
}

/** Index: dead_letters_id_idx. */
const DISCARD = `
with discarded as (
  delete from dead_letters where id = $1 and ($7::uuid is null or tenant_id = $7)
  returning tenant_id, id, delivery_id, channel
), audit_entries as (
  ${auditInsert(2, `select tenant_id, id::text, ${AUDIT_FIELDS}, null::jsonb from discarded`)}
)
select id from discarded`;
