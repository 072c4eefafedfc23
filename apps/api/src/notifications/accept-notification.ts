// The decision behind a 202: is everything there that is needed to send this? What is found wanting is told now, all of it
// at once; what is found good is committed by the store.

import { LRUCache } from 'lru-cache';
import type {
  AcceptStore,
  NewNotification,
  Notification,
  RecipientAddresses,
  RecipientsStore,
  SharedContent,
  SharedContentsStore,
  StoreResult,
  TemplatesStore,
} from '#database';
import { type AddressSource, type ChannelId, channelOf, DomainError, type FieldError, newId } from '#domain';
import type { Logger } from '#telemetry';
import type { TemplateRenderer } from '#templates';
import type { Caller } from '../http/access.js';
import { DEFAULT_BODY_LIMITS, shapeErrors } from '../http/body-shape.js';
import { fieldErrorsOf, validationFailed } from '../http/request-schema.pipe.js';
import { type BulkBody, type BulkItem, bulkItem, type SendBody } from './notification.schema.js';

export type AcceptResult =
  | { kind: 'accepted'; acceptance: NewNotification; createdAt: Date }
  /** The key was used before with the same body, for this notification. */
  | { kind: 'replayed'; notificationId: string };

export interface BulkResult {
  accepted: { index: number; id: string; replayed: boolean }[];
  rejected: { index: number; code: string; errors: FieldError[] }[];
}

type Item = Pick<SendBody, 'recipient_id' | 'recipient' | 'recipient_address' | 'payload'>;
type Common = Omit<BulkBody, 'recipients' | 'payload'>;

interface OneOfBulk {
  index: number;
  item: BulkItem;
  idempotency: NewNotification['idempotency'];
}

const YEAR_MS = 366 * 24 * 3_600_000;
/** A template that was there is taken to be there for this long; one that was not is asked for again each time. */
const TEMPLATE_TTL_MS = 30_000;

export class AcceptNotification {
  private readonly knownTemplates = new LRUCache<string, true>({ max: 50_000, ttl: TEMPLATE_TTL_MS });

  constructor(
    private readonly store: AcceptStore,
    private readonly sharedContents: SharedContentsStore,
    private readonly recipients: RecipientsStore,
    private readonly templates: TemplatesStore,
    private readonly renderer: TemplateRenderer,
    private readonly logger: Logger,
  ) {}

  /** Throws `validation_failed` and its kin with every fault, `idempotency_mismatch`, `unavailable`. */
  async run(caller: Caller, body: SendBody, idempotency: NewNotification['idempotency']): Promise<AcceptResult> {
    const faults = [...timeFaults(body), ...addressFaults(body, body), ...(await this.contentFaults(caller, body))];
    if (faults.length > 0) {
      // A replay is answered even if the request no longer validates, for example because a template was deleted.
      const notificationId = idempotency && (await this.acceptedBefore(caller, idempotency));
      if (notificationId) return { kind: 'replayed', notificationId };
      // The accept statement checks addresses; checked here only to report them together with other errors.
      throw validationFailed([...faults, ...(await this.missingAddresses(caller, body, body))]);
    }
    const acceptance = newNotificationOf(caller, body, body, idempotency);
    const accepted = await this.store.accept(acceptance);
    if (accepted.kind === 'no_address') throw validationFailed(noAddress(body, accepted.channels));
    return accepted.kind === 'accepted' ? { ...accepted, acceptance } : accepted;
  }

  private async acceptedBefore(
    caller: Caller,
    idempotency: NonNullable<NewNotification['idempotency']>,
  ): Promise<string | null> {
    const [found] = await this.store.findAccepted(caller.tenantId, [idempotency]);
    if (found instanceof DomainError) throw found;
    return found!;
  }

  /**
   * Replays, accepts or rejects each item as if it were a single send. Throws `validation_failed` for the common part when no
   * item is a replay, and `unavailable` when nothing was committed. `idempotencyOf` returns an item's key and body hash.
   */
  async runBulk(
    caller: Caller,
    body: BulkBody,
    idempotencyOf: (index: number, item: BulkItem) => NewNotification['idempotency'],
  ): Promise<BulkResult> {
    const result: BulkResult = { accepted: [], rejected: [] };
    const reject = (index: number, errors: FieldError[], code = validationFailed(errors).code): unknown =>
      result.rejected.push({ index, code, errors });
    const items: OneOfBulk[] = [];
    for (const [index, given] of body.recipients.entries()) {
      const { item, faults } = readItem(given);
      if (item) items.push({ index, item, idempotency: idempotencyOf(index, item) });
      else reject(index, faults);
    }
    const common = [...timeFaults(body), ...(await this.contentFaults(caller, body))];
    const fieldErrorsOf = ({ item }: OneOfBulk): FieldError[] => [...common, ...addressFaults(body, item)];
    const rest =
      (await this.isRepeated(caller, items)) || items.some((one) => fieldErrorsOf(one).length > 0)
        ? await this.withoutReplays(caller, items, result)
        : items;
    if (rest.length > 0 && common.length > 0 && result.accepted.length === 0) throw validationFailed(common);
    const shared = sharedContentOf(body);
    const good: (OneOfBulk & { acceptance: NewNotification })[] = [];
    for (const one of rest) {
      const faults = fieldErrorsOf(one);
      if (faults.length > 0) reject(one.index, faults);
      else {
        const acceptance = newNotificationOf(caller, { ...body, content: undefined }, one.item, one.idempotency);
        acceptance.notification.sharedContentId = shared?.id ?? null;
        good.push({ ...one, acceptance });
      }
    }
    const stored = good.length > 0 ? await this.storeAll(caller, good, shared) : [];
    for (const [at, { index, item, acceptance }] of good.entries()) {
      const accepted = stored[at]!;
      if (accepted instanceof DomainError) reject(index, [faultOf(accepted)], accepted.code);
      else if (accepted.kind === 'no_address') reject(index, noAddress(item, accepted.channels));
      else if (accepted.kind === 'replayed')
        result.accepted.push({ index, id: accepted.notificationId, replayed: true });
      else result.accepted.push({ index, id: acceptance.notification.id, replayed: false });
    }
    result.accepted.sort(byIndex);
    result.rejected.sort(byIndex);
    return result;
  }

  /** Commits what they have in common before the first of them, and deletes it when it is certain that none refers to it. */
  private async storeAll(
    { tenantId }: Caller,
    good: { acceptance: NewNotification }[],
    shared: SharedContent | null,
  ): Promise<(StoreResult | DomainError)[]> {
    if (shared) await this.sharedContents.insert(tenantId, shared);
    const stored = await this.store.acceptAll(good.map(({ acceptance }) => acceptance));
    for (const one of stored)
      if (one instanceof DomainError && one.code === 'internal')
        this.logger.error({ err: one, tenant_id: tenantId }, 'an item of a bulk send could not be stored');
    if (shared && stored.every(isCertainlyNotStored))
      // Where this fails a clean-up finds the row.
      await this.sharedContents.delete(tenantId, shared.id).catch(() => undefined);
    return stored;
  }

  /**
   * Whether the call looks like a repetition: the key of its first item is known. Only saves work: the accept statement
   * recognises every replay, but the content they share would be written for it in vain.
   */
  private async isRepeated(caller: Caller, items: OneOfBulk[]): Promise<boolean> {
    const first = items.find(({ idempotency }) => idempotency !== null);
    if (!first) return false;
    const [found] = await this.store.findAccepted(caller.tenantId, [first.idempotency!]);
    return found !== null;
  }

  /** Adds the items whose key is known to the result, whether or not they still validate, and returns the others. */
  private async withoutReplays(caller: Caller, items: OneOfBulk[], result: BulkResult): Promise<OneOfBulk[]> {
    const keyed = items.filter(({ idempotency }) => idempotency !== null);
    if (keyed.length === 0) return items;
    const found = await this.store.findAccepted(
      caller.tenantId,
      keyed.map(({ idempotency }) => idempotency!),
    );
    const known = new Set<OneOfBulk>();
    for (const [at, one] of keyed.entries()) {
      const before = found[at]!;
      if (before === null) continue;
      known.add(one);
      if (before instanceof DomainError)
        result.rejected.push({ index: one.index, code: before.code, errors: [faultOf(before)] });
      else result.accepted.push({ index: one.index, id: before, replayed: true });
    }
    return items.filter((one) => !known.has(one));
  }

  private async contentFaults(caller: Caller, body: Common): Promise<FieldError[]> {
    const channels = channelsOf(body);
    if (body.content) {
      const faults = channels.map((channel) => this.inlineFaults(caller.tenantId, channel, body.content!));
      return (await Promise.all(faults)).flat();
    }
    const found = await Promise.all(
      channels.map((channel) => this.hasTemplate(caller.tenantId, body.template_id!, channel)),
    );
    const missing = channels.filter((_, index) => !found[index]);
    if (missing.length === 0) return [];
    return [
      {
        pointer: '/template_id',
        code: 'unknown_template',
        message: `there is no template ${JSON.stringify(body.template_id)} for ${missing.join(', ')}`,
      },
    ];
  }

  private async inlineFaults(
    tenantId: string,
    channelId: ChannelId,
    content: Record<string, unknown>,
  ): Promise<FieldError[]> {
    const channel = channelOf(channelId);
    const shape = channel.content.safeParse(content);
    if (!shape.success)
      return fieldErrorsOf(shape.error.issues, content).map((fault) => ({
        ...fault,
        pointer: `/content${fault.pointer}`,
      }));
    const faults = await this.renderer.faults(channel, content, tenantId);
    return faults.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, code: 'template_syntax', message }));
  }

  private async hasTemplate(tenantId: string, idOrKey: string, channel: ChannelId): Promise<boolean> {
    const key = `${tenantId} ${channel} ${idOrKey}`;
    if (this.knownTemplates.has(key)) return true;
    const heads = await this.templates.heads(tenantId, idOrKey, channel);
    if (heads.length > 0) this.knownTemplates.set(key, true);
    return heads.length > 0;
  }

  private async missingAddresses(caller: Caller, common: Common, item: Item): Promise<FieldError[]> {
    const wanted = channelsOf(common).filter((channel) => addressNeeded(channel, item));
    if (wanted.length === 0) return [];
    const stored = (await this.recipients.addressesOf(caller.tenantId, recipientIdOf(item))) ?? NO_ADDRESSES;
    return noAddress(
      item,
      wanted.filter((channel) => channelOf(channel).addressesOf(stored).length === 0),
    );
  }
}

const NO_ADDRESSES: RecipientAddresses = { email: null, phone: null, locale: null, devices: [] };
const ADDRESS_WORDS: Partial<Record<ChannelId, string>> = {
  email: 'e-mail address',
  sms: 'phone number',
  push: 'device',
};

function readItem(given: unknown): { item: BulkItem; faults?: never } | { item?: never; faults: FieldError[] } {
  const shape = shapeErrors(given);
  if (shape.length > 0) return { faults: shape };
  // Like the body of a single send: workers read hundreds of notifications at once.
  const bytes = Buffer.byteLength(JSON.stringify(given));
  if (bytes > DEFAULT_BODY_LIMITS.bytes)
    return {
      faults: [
        {
          pointer: '/',
          code: 'too_large',
          message: `has ${bytes} bytes of JSON, at most ${DEFAULT_BODY_LIMITS.bytes} are allowed`,
        },
      ],
    };
  const parsed = bulkItem.safeParse(given);
  return parsed.success ? { item: parsed.data } : { faults: fieldErrorsOf(parsed.error.issues, given) };
}

function sharedContentOf({ content, payload }: BulkBody): SharedContent | null {
  return content || payload ? { id: newId(), content: content ?? null, payload: payload ?? null } : null;
}

/** The error of a single send in the form of a bulk item error. */
function faultOf({ code, message }: DomainError): FieldError {
  return { pointer: code === 'idempotency_mismatch' ? '/idempotency_key' : '/', code, message };
}

function byIndex(left: { index: number }, right: { index: number }): number {
  return left.index - right.index;
}

/** An item that failed for any other reason may have been committed, although its answer was lost. */
function isCertainlyNotStored(result: StoreResult | DomainError): boolean {
  return result instanceof DomainError ? result.code === 'idempotency_mismatch' : result.kind !== 'accepted';
}

function recipientIdOf(item: Item): string {
  return item.recipient?.id ?? item.recipient_id!;
}

/** The part of the stored profile a delivery hangs on: none where the send itself brings an address. */
function addressNeeded(channel: ChannelId, item: Item): AddressSource | null {
  const { addressFrom, addressesOf } = channelOf(channel);
  if (addressFrom === null || item.recipient_address !== undefined) return null;
  const given = { email: item.recipient?.email ?? null, phone: item.recipient?.phone ?? null, devices: [] };
  return addressesOf(given).length > 0 ? null : addressFrom;
}

/** What is wrong with an address that came with the send. */
function addressFaults(common: Common, item: Item): FieldError[] {
  if (item.recipient_address === undefined) return [];
  const channels = channelsOf(common);
  if (channels.length > 1)
    return [
      {
        pointer: '/recipient_address',
        code: 'ambiguous',
        message: `one address cannot serve ${channels.length} channels (${channels.join(', ')})`,
      },
    ];
  const message = channelOf(channels[0]!).addressFault(item.recipient_address);
  return message ? [{ pointer: '/recipient_address', code: 'bad_address', message }] : [];
}

function noAddress(item: Item, channels: ChannelId[]): FieldError[] {
  return channels.map((channel) => ({
    pointer: item.recipient ? '/recipient' : '/recipient_id',
    code: 'no_address',
    message: `recipient ${JSON.stringify(recipientIdOf(item))} has no ${ADDRESS_WORDS[channel] ?? 'address'} for channel ${channel}`,
  }));
}

function channelsOf(body: Common): ChannelId[] {
  return body.channels ?? [body.channel!];
}

function timeFaults(body: Common): FieldError[] {
  const faults: FieldError[] = [];
  const now = Date.now();
  const scheduled = body.scheduled_at === undefined ? null : Date.parse(body.scheduled_at);
  const expires = body.expires_at === undefined ? null : Date.parse(body.expires_at);
  if (scheduled !== null && scheduled > now + YEAR_MS)
    faults.push({
      pointer: '/scheduled_at',
      code: 'too_far',
      message: `may be one year ahead, got ${JSON.stringify(body.scheduled_at)}`,
    });
  if (expires !== null && expires <= now)
    faults.push({
      pointer: '/expires_at',
      code: 'in_the_past',
      message: `must be in the future, got ${JSON.stringify(body.expires_at)}`,
    });
  else if (expires !== null && scheduled !== null && expires <= scheduled)
    faults.push({ pointer: '/expires_at', code: 'before_schedule', message: 'must be after scheduled_at' });
  return faults;
}

function newNotificationOf(
  caller: Caller,
  common: Common,
  item: Item,
  idempotency: NewNotification['idempotency'],
): NewNotification {
  const channels = channelsOf(common);
  const notification: Notification = {
    tenantId: caller.tenantId,
    id: newId(),
    recipientId: recipientIdOf(item),
    type: common.type ?? null,
    category: common.category,
    channels,
    templateId: common.template_id ?? null,
    content: common.content ?? null,
    payload: item.payload ?? null,
    priority: common.priority,
    test: caller.mode === 'test',
    orderingKey: common.ordering_key ?? null,
    metadata: common.metadata ?? null,
    scheduledAt: common.scheduled_at === undefined ? null : new Date(common.scheduled_at),
    expiresAt: common.expires_at === undefined ? null : new Date(common.expires_at),
    endpointId: null,
    sharedContentId: null,
  };
  return {
    notification,
    deliveries: channels.map((channel) => ({
      id: newId(),
      channel,
      address: item.recipient_address ?? null,
      addressFrom: addressNeeded(channel, item),
    })),
    recipient: item.recipient ?? null,
    idempotency,
    traceparent: caller.traceparent,
  };
}
