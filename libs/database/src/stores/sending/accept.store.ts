import { type ChannelId, DomainError, laneOf } from '#domain';
import { Batcher, type BatcherOptions } from '../../batcher.js';
import { columns } from '../../columns.js';
import type { Database } from '../../database.js';
import { isOutage, isUnavailable } from '../../outage.js';
import { ACCEPT, type AcceptRow, acceptValues } from './accept-statement.js';
import type { NewNotification } from './new-notification.js';

export type StoreResult =
  | { kind: 'accepted'; createdAt: Date }
  /** The key was used before with the same body, for this notification. */
  | { kind: 'replayed'; notificationId: string }
  /** Nothing was written: the stored profile lacks an address for these channels. */
  | { kind: 'no_address'; channels: ChannelId[] };

type FlushResult =
  | { createdAt: Date }
  | { existing: ExistingKey }
  | { lacking: ChannelId[] }
  /** Not accepted: another request took its key, and that request's result could not be read. */
  | { unresolved: unknown };

interface ExistingKey {
  notificationId: string | null;
  bodyHash: string;
}

/** A batch with ordering keys may wait for a lock; what has no ordering key never waits behind it. */
interface Queues {
  plain: Batcher<NewNotification, FlushResult>;
  ordered: Batcher<NewNotification, FlushResult>;
}

/** A key and the SHA-256 of the canonical body that came with it, hexadecimal. */
type Idempotency = NonNullable<NewNotification['idempotency']>;

const MAX_BATCH = 256;
/**
 * Requests of bulk calls have a queue of their own, so that a single send does not wait behind thousands of them. There are always enough
 * for a large batch, so two statements at a time use a second core.
 */
const MANY = { slots: 3, maxBatch: 500, maxQueue: 10_000 };
/** Of the requests of one call: how many wait at once. */
const CALL_SLICE = 1_000;

/**
 * The one commit behind a 202: notification, deliveries, due rows, inline profiles and idempotency keys of all requests
 * that wait at the moment, in one statement. Runs as the platform because the requests are of many tenants; every row
 * carries the tenant of the key that asked.
 */
export class AcceptStore {
  private readonly single: Queues;
  private readonly many: Queues;

  constructor(
    private readonly database: Database,
    /** Told after each commit which lanes have something due now, as `channel:lane`. */
    private readonly onDue: (lanes: string[]) => void,
    // One statement at a time makes the largest batches: 11.2k requests a second against 9.8k with two and 9.6k with three.
    limits: { slots: number; maxQueue: number } = { slots: 1, maxQueue: 5_000 },
  ) {
    const flush = (batch: NewNotification[]): Promise<FlushResult[]> => this.write(batch);
    this.single = queues({ flush, maxBatch: MAX_BATCH, ...limits });
    this.many = queues({ flush, ...MANY });
  }

  /**
   * Commits one request. Throws `idempotency_mismatch` when its key was used with another body or by a request of another
   * kind, `unavailable` when it was not committed or when that is not known.
   */
  async accept(acceptance: NewNotification): Promise<StoreResult> {
    return settle(acceptance, await queueOf(this.single, acceptance).run(acceptance));
  }

  /**
   * Commits many requests of one call, in as many commits as it takes; each ends as it would alone: one that is faulty or
   * cannot be stored does not refuse the others. Throws `unavailable` when none was committed.
   */
  async acceptAll(acceptances: NewNotification[]): Promise<(StoreResult | DomainError)[]> {
    const results: (StoreResult | DomainError)[] = [];
    for (let from = 0; from < acceptances.length; from += CALL_SLICE) {
      const slice = acceptances.slice(from, from + CALL_SLICE);
      results.push(...(await Promise.all(slice.map((acceptance) => this.acceptOneOf(acceptance)))));
    }
    const [first] = results;
    if (first instanceof DomainError && results.every(isUnavailable)) throw first;
    return results;
  }

  private async acceptOneOf(acceptance: NewNotification): Promise<StoreResult | DomainError> {
    try {
      return settle(acceptance, await queueOf(this.many, acceptance).run(acceptance));
    } catch (error) {
      return asDomainError(error);
    }
  }

  /**
   * What was accepted before for these keys: the notification, null for a key that is not known, `idempotency_mismatch` for one
   * that was used with another body.
   */
  async findAccepted(tenantId: string, keys: readonly Idempotency[]): Promise<(string | null | DomainError)[]> {
    const existing = await this.existingKeys(keys.map(({ key }) => ({ tenantId, key })));
    return keys.map((idempotency, index) => {
      const found = existing[index];
      if (!found) return null;
      return isReplay(idempotency, found) ? found.notificationId : mismatch(idempotency.key);
    });
  }

  private async write(batch: NewNotification[]): Promise<FlushResult[]> {
    const rows = await this.database.platform.query<AcceptRow>({
      name: 'accept',
      text: ACCEPT,
      values: acceptValues(batch),
    });
    // From here on everything is committed: nothing that fails may fail the batch.
    const createdAt = rows[0]!.created_at;
    const results: (FlushResult | undefined)[] = batch.map(() => ({ createdAt }));
    for (const row of rows) if (row.ord > 0) results[row.ord - 1] = toRefusal(row);
    answerTwins(batch, results);
    const contested = batch.flatMap((acceptance, index) => (results[index] ? [] : [{ acceptance, index }]));
    if (contested.length > 0) {
      const found = await this.contestedKeys(contested.map(({ acceptance }) => acceptance));
      contested.forEach(({ index }, at) => {
        results[index] = found[at]!;
      });
    }
    const due = batch.filter((acceptance, index) => 'createdAt' in results[index]! && !isLater(acceptance));
    const lanes = new Set(
      due.flatMap(({ notification, deliveries: made }) =>
        made.map(({ channel }) => `${channel}:${laneOf(notification.priority)}`),
      ),
    );
    if (lanes.size > 0) this.onDue([...lanes]);
    return results as FlushResult[];
  }

  /** Keys that another transaction committed while ours ran. Never throws: the rest of the batch is committed. */
  private async contestedKeys(batch: NewNotification[]): Promise<FlushResult[]> {
    try {
      const existing = await this.existingKeys(
        batch.map(({ notification, idempotency }) => ({ tenantId: notification.tenantId, key: idempotency!.key })),
      );
      // Gone again: it had just grown too old.
      return existing.map((found) => (found ? { existing: found } : { unresolved: contested() }));
    } catch (error) {
      return batch.map(() => ({ unresolved: isOutage(error) ? contested(error) : error }));
    }
  }

  private async existingKeys(keys: readonly { tenantId: string; key: string }[]): Promise<(ExistingKey | undefined)[]> {
    const rows = await this.database.platform.query<{ ord: number; notification_id: string | null; body_hash: string }>(
      {
        name: 'existing_keys',
        text: `select i.ord::int as ord, k.notification_id, encode(k.body_hash, 'hex') as body_hash
             from unnest($1::uuid[], $2::text[]) with ordinality as i(tenant_id, key, ord)
             join idempotency_keys k on k.tenant_id = i.tenant_id and k.key = i.key`, // index: idempotency_keys_pkey
        values: columns(keys, [(row) => row.tenantId, (row) => row.key]),
      },
    );
    const found: (ExistingKey | undefined)[] = new Array(keys.length).fill(undefined);
    for (const row of rows) found[row.ord - 1] = { notificationId: row.notification_id, bodyHash: row.body_hash };
    return found;
  }
}

function queues(options: BatcherOptions<NewNotification, FlushResult>): Queues {
  return { plain: new Batcher(options), ordered: new Batcher({ ...options, slots: 1 }) };
}

function queueOf(of: Queues, { notification }: NewNotification): Batcher<NewNotification, FlushResult> {
  return notification.orderingKey === null ? of.plain : of.ordered;
}

/** Requests with the same key in one batch: the first was accepted, and its row is not visible to the statement that inserted it. */
function answerTwins(batch: readonly NewNotification[], results: (FlushResult | undefined)[]): void {
  const accepted = new Map<string, ExistingKey>();
  const missing: [number, string][] = [];
  for (const [index, { notification, idempotency }] of batch.entries()) {
    const result = results[index];
    if (!idempotency || (result && !('createdAt' in result))) continue;
    const key = `${notification.tenantId} ${idempotency.key}`;
    if (result) accepted.set(key, { notificationId: notification.id, bodyHash: idempotency.bodyHash });
    else missing.push([index, key]);
  }
  for (const [index, key] of missing) {
    const existing = accepted.get(key);
    if (existing) results[index] = { existing };
  }
}

/** Undefined for a request whose key another request has taken meanwhile. */
function toRefusal(row: AcceptRow): FlushResult | undefined {
  if (row.known) return { existing: { notificationId: row.notification_id, bodyHash: row.body_hash! } };
  return row.lacking ? { lacking: row.lacking } : undefined;
}

function settle({ idempotency }: NewNotification, result: FlushResult): StoreResult {
  if ('createdAt' in result) return { kind: 'accepted', createdAt: result.createdAt };
  if ('lacking' in result) return { kind: 'no_address', channels: result.lacking };
  if ('unresolved' in result) throw result.unresolved;
  if (!isReplay(idempotency!, result.existing)) throw mismatch(idempotency!.key);
  return { kind: 'replayed', notificationId: result.existing.notificationId };
}

function isReplay(
  { bodyHash }: Idempotency,
  existing: ExistingKey,
): existing is ExistingKey & { notificationId: string } {
  return existing.bodyHash === bodyHash && existing.notificationId !== null;
}

function mismatch(key: string): DomainError {
  return new DomainError(
    'idempotency_mismatch',
    `The idempotency key ${JSON.stringify(key)} was used before with another body.`,
  );
}

function contested(cause?: unknown): DomainError {
  return new DomainError(
    'unavailable',
    'Another request with this idempotency key was accepted at the same moment, and its answer could not be read. Try again.',
    { retryAfterSeconds: 1, cause },
  );
}

function asDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('internal', 'This request could not be stored. Tell us the request_id.', { cause: error });
}

function isLater({ notification }: NewNotification): boolean {
  return notification.scheduledAt !== null && notification.scheduledAt.getTime() > Date.now();
}
