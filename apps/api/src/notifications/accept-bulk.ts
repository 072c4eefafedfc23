import { Inject, Injectable } from '@nestjs/common';
import {
  AcceptStore,
  type NewNotification,
  type SharedContent,
  SharedContentsStore,
  type StoreResult,
  toNewNotification,
} from '#database';
import { DomainError, type FieldError, itemErrorsOf, newId, noAddressErrors, validationFailed } from '#domain';
import { type Logger, traceIdOf } from '#telemetry';
import type { Caller } from '../access/access.js';
import { readItem } from '../http/read-item.js';
import { LOGGER } from '../tokens.js';
import { CheckSend, itemErrors } from './check-send.js';
import { LocalTimes, scheduledFor } from './local-times.js';
import { type BulkBody, type BulkItem, bulkItem } from './notification.schema.js';

export interface AcceptedItem {
  /** The index in `recipients`. */
  index: number;
  id: string;
  replayed: boolean;
}

export interface RejectedItem {
  index: number;
  code: string;
  errors: FieldError[];
}

/** A valid item of the request. */
interface ReadItem {
  index: number;
  item: BulkItem;
  idempotency: NewNotification['idempotency'];
  /** The instant of `scheduled_at_local` for this recipient. */
  localTime?: Date | undefined;
}

/** Collects the results of the items; both lists are in the order of the request. */
class BulkResult {
  private readonly acceptedItems: AcceptedItem[] = [];
  private readonly rejectedItems: RejectedItem[] = [];

  get accepted(): AcceptedItem[] {
    return this.acceptedItems.sort(byIndex);
  }

  get rejected(): RejectedItem[] {
    return this.rejectedItems.sort(byIndex);
  }

  accept(index: number, id: string, replayed: boolean): void {
    this.acceptedItems.push({ index, id, replayed });
  }

  reject(index: number, errors: FieldError[], code: string = validationFailed(errors).code): void {
    this.rejectedItems.push({ index, code, errors });
  }

  /** Rejects an item with the error that a single send would get. */
  rejectWith(index: number, error: DomainError): void {
    this.reject(index, itemErrorsOf(error), error.code);
  }
}

/** Accepts a bulk send. Each item succeeds or fails by itself, with the same checks as a single send. */
@Injectable()
export class AcceptBulk {
  constructor(
    private readonly store: AcceptStore,
    private readonly sharedContents: SharedContentsStore,
    private readonly checkSend: CheckSend,
    private readonly localTimes: LocalTimes,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Throws `validation_failed` for the shared part when no item is a replay, and `unavailable` when nothing was
   * committed. `idempotencyOf` returns the key and the body hash of an item.
   */
  async run(
    caller: Caller,
    body: BulkBody,
    idempotencyOf: (index: number, item: BulkItem) => NewNotification['idempotency'],
  ): Promise<{ accepted: AcceptedItem[]; rejected: RejectedItem[] }> {
    const result = new BulkResult();
    const items = readItems(body, result, idempotencyOf);
    const localTimes = await this.localTimes.of(
      caller,
      body,
      items.map(({ item }) => item),
    );
    for (const [position, localTime] of localTimes.entries()) items[position]!.localTime = localTime;
    // Replays before all other checks: the check of the content may fail while the renderer is busy.
    const isRepeated = await this.isFirstKeyKnown(caller, items);
    const unknown = isRepeated ? await this.withoutReplays(caller, items, result) : items;
    const sharedErrors = unknown.length > 0 ? await this.checkSend.shared(caller, body, body.payload) : [];
    const errors = await this.errorsOf(caller, body, unknown, sharedErrors);
    const hasErrors = unknown.some((one) => errors.get(one)!.length > 0);
    const rest = hasErrors && !isRepeated ? await this.withoutReplays(caller, items, result) : unknown;
    if (rest.length > 0 && sharedErrors.length > 0 && result.accepted.length === 0)
      throw validationFailed(sharedErrors);
    const valid = rest.filter((one) => errors.get(one)!.length === 0);
    for (const one of rest) if (errors.get(one)!.length > 0) result.reject(one.index, errors.get(one)!);
    if (valid.length > 0) await this.acceptAll(caller, body, valid, result);
    return { accepted: result.accepted, rejected: result.rejected };
  }

  private async errorsOf(
    caller: Caller,
    body: BulkBody,
    items: ReadItem[],
    sharedErrors: FieldError[],
  ): Promise<Map<ReadItem, FieldError[]>> {
    const errors = new Map(items.map((one) => [one, [...sharedErrors, ...itemErrors(body, one.item, one.localTime)]]));
    if (sharedErrors.length > 0) return errors;
    for (const [{ item }, found] of errors)
      found.push(...(await this.checkSend.payload(caller, body, item.payload, body.payload)));
    return errors;
  }

  /**
   * Whether this call probably repeats an earlier one. An optimization: the accept statement recognizes every replay,
   * but the shared content would be written in vain.
   */
  private async isFirstKeyKnown(caller: Caller, items: ReadItem[]): Promise<boolean> {
    const first = items.find(({ idempotency }) => idempotency !== null);
    if (!first) return false;
    const [found] = await this.store.findAccepted(caller.tenantId, [first.idempotency!]);
    return found !== null;
  }

  /** Adds the items whose key is known to the result, whether or not they still validate, and returns the others. */
  private async withoutReplays(caller: Caller, items: ReadItem[], result: BulkResult): Promise<ReadItem[]> {
    const keyed = items.filter(({ idempotency }) => idempotency !== null);
    if (keyed.length === 0) return items;
    const found = await this.store.findAccepted(
      caller.tenantId,
      keyed.map(({ idempotency }) => idempotency!),
    );
    const known = new Set<ReadItem>();
    for (const [position, one] of keyed.entries()) {
      const earlier = found[position]!;
      if (earlier === null) continue;
      known.add(one);
      if (earlier instanceof DomainError) result.rejectWith(one.index, earlier);
      else result.accept(one.index, earlier, true);
    }
    return items.filter((one) => !known.has(one));
  }

  private async acceptAll(caller: Caller, body: BulkBody, items: ReadItem[], result: BulkResult): Promise<void> {
    const shared = sharedContentOf(body);
    const newNotifications = items.map(({ item, idempotency, localTime }) => {
      const part = scheduledFor({ ...body, content: undefined }, localTime);
      const newNotification = toNewNotification(caller, part, item, idempotency);
      newNotification.notification.sharedContentId = shared?.id ?? null;
      return newNotification;
    });
    const stored = await this.storeAll(caller, newNotifications, shared);
    for (const [position, { index, item }] of items.entries()) {
      const one = stored[position]!;
      if (one instanceof DomainError) result.rejectWith(index, one);
      else if (one.kind === 'no_address') result.reject(index, noAddressErrors(item, one.channels));
      else if (one.kind === 'replayed') result.accept(index, one.notificationId, true);
      else result.accept(index, newNotifications[position]!.notification.id, false);
    }
  }

  /** Commits the shared content before the notifications that refer to it, and deletes it when none was stored. */
  private async storeAll(
    { tenantId, traceparent }: Caller,
    newNotifications: NewNotification[],
    shared: SharedContent | null,
  ): Promise<(StoreResult | DomainError)[]> {
    if (shared) await this.sharedContents.insert(tenantId, shared);
    const stored = await this.store.acceptAll(newNotifications);
    for (const one of stored)
      if (one instanceof DomainError && one.code === 'internal')
        this.logger.error(
          { err: one, tenant_id: tenantId, trace_id: traceIdOf(traceparent) },
          'an item of a bulk send could not be stored',
        );
    if (shared && stored.every(isCertainlyNotStored))
      // If this fails, housekeeping deletes the row.
      await this.sharedContents.delete(tenantId, shared.id).catch(() => undefined);
    return stored;
  }
}

/** Adds the items that do not match the schema to the result as rejected, and returns the others. */
function readItems(
  body: BulkBody,
  result: BulkResult,
  idempotencyOf: (index: number, item: BulkItem) => NewNotification['idempotency'],
): ReadItem[] {
  const items: ReadItem[] = [];
  for (const [index, given] of body.recipients.entries()) {
    const { item, errors } = readItem(bulkItem, given);
    if (item) items.push({ index, item, idempotency: idempotencyOf(index, item) });
    else result.reject(index, errors);
  }
  return items;
}

function sharedContentOf({ content, payload }: BulkBody): SharedContent | null {
  return content || payload ? { id: newId(), content: content ?? null, payload: payload ?? null } : null;
}

/** False for most errors: the item may have been committed although the database's answer was lost. */
function isCertainlyNotStored(result: StoreResult | DomainError): boolean {
  if (!(result instanceof DomainError)) return result.kind !== 'accepted';
  return result.code === 'idempotency_mismatch' || result.code === 'validation_failed';
}

function byIndex(left: { index: number }, right: { index: number }): number {
  return left.index - right.index;
}
