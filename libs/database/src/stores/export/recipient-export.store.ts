import { type ChannelId, channelIds, comparableAddress, NIL_ID } from '#domain';
import type { Database } from '../../database.js';
import { hashedAddress } from '../../secrets/hashed-address.js';
import type { PlatformKeys } from '../../secrets/platform-keys.js';
import { type AuditNote, auditInsert, noteValues, recipientSubject } from '../audit/audit-entry.js';
import {
  DELIVERIES_OF_NOTIFICATIONS,
  DELIVERIES_OF_TOPICS,
  EVENT_NOTIFICATION_IDS,
  EVENT_NOTIFICATIONS,
  EVENTS,
  INBOX_ITEMS,
  IS_KNOWN,
  NOTIFICATIONS,
  SHARED_CONTENTS,
  SMALL_SECTIONS,
  SUPPRESSIONS,
} from './export-statements.js';

/** Rows of one statement. A notification may have 256 kB. */
const PAGE = 100;
/** Events that one statement examines. */
const EVENTS_EXAMINED = 2_000;

interface Row {
  line: string | null;
}

interface PageRow extends Row {
  key: string;
}

interface DeliveryRow extends PageRow {
  channel: ChannelId;
  address: string | null;
  /** An address that this delivery caused to be suppressed. */
  suppressed: string | null;
}

/** The recipient whose data are read, and what was found on the way. */
interface Reading {
  tenantId: string;
  recipientId: string;
  /** In the form of the suppression list. */
  addresses: Set<string>;
}

/**
 * Reads everything that is stored about a recipient, in pages, so that a recipient with many deliveries needs little
 * memory and no long transaction (docs/export.md).
 */
export class RecipientExportStore {
  constructor(
    private readonly database: Database,
    private readonly keys: Pick<PlatformKeys, 'addressKey'>,
  ) {}

  /** Writes the entry of the audit log. Returns false, and writes nothing, if nothing is known of the recipient. */
  async begin(tenantId: string, recipientId: string, audit: AuditNote): Promise<boolean> {
    const subject = recipientSubject(tenantId, recipientId);
    const entry = auditInsert(4, `select $1::uuid, $3::text, null::jsonb, null::jsonb where ${IS_KNOWN}`);
    const [[found]] = await this.database.pipelineForTenant<[{ known: boolean }[], object[]]>(tenantId, [
      { text: `select ${IS_KNOWN} as known`, values: [tenantId, recipientId] },
      { text: entry, values: [tenantId, recipientId, subject, ...noteValues(audit)] },
    ]);
    return found!.known;
  }

  /** The lines of the export, each a JSON text `{kind, data}`. */
  async *lines(tenantId: string, recipientId: string): AsyncGenerator<string> {
    const reading = { tenantId, recipientId, addresses: new Set(await this.storedAddresses(tenantId, recipientId)) };
    const ids = [tenantId, recipientId];
    for (const text of SMALL_SECTIONS) yield* linesOf(await this.query<Row>(tenantId, text, [...ids, channelIds]));
    for await (const page of this.pages<PageRow>(reading, INBOX_ITEMS, '-1')) yield* linesOf(page);
    yield* this.notifications(reading);
    for await (const page of this.pages<DeliveryRow>(reading, DELIVERIES_OF_TOPICS, NIL_ID)) {
      noteAddresses(reading, page);
      yield* linesOf(page);
    }
    yield* this.byAddress(reading);
  }

  private async *notifications(reading: Reading): AsyncGenerator<string> {
    const { tenantId } = reading;
    const shared = new Set<string>();
    const found = this.pages<PageRow & { shared_content_id: string | null }>(reading, NOTIFICATIONS, NIL_ID);
    for await (const page of found) {
      yield* linesOf(page);
      const deliveries = await this.query<DeliveryRow>(tenantId, DELIVERIES_OF_NOTIFICATIONS, [
        tenantId,
        page.map(({ key }) => key),
      ]);
      noteAddresses(reading, deliveries);
      yield* linesOf(deliveries);
      // The content of a bulk send has many notifications.
      for (const { shared_content_id: id } of page) {
        if (id === null || shared.has(id)) continue;
        shared.add(id);
        yield* linesOf(await this.query<Row>(tenantId, SHARED_CONTENTS, [tenantId, [id]]));
      }
    }
  }

  /** Rows that contain an address of the recipient or of one of their deliveries. */
  private async *byAddress({ tenantId, recipientId, addresses: found }: Reading): AsyncGenerator<string> {
    const addresses = [...found];
    const hashes = addresses.map((address) => hashedAddress(this.keys.addressKey, tenantId, address));
    yield* linesOf(await this.query<Row>(tenantId, SUPPRESSIONS, [tenantId, channelIds, addresses, hashes]));
    const events = this.pages<PageRow>({ tenantId, recipientId, addresses: found }, EVENTS, '0', {
      size: EVENTS_EXAMINED,
      more: [addresses],
    });
    for await (const page of events) yield* linesOf(page);
    const sent = await this.database.platformReads.query<{ id: string }>({
      text: EVENT_NOTIFICATION_IDS,
      values: [tenantId, recipientId, addresses],
    });
    for (let at = 0; at < sent.length; at += PAGE) {
      const ids = sent.slice(at, at + PAGE).map(({ id }) => id);
      yield* linesOf(await this.query<Row>(tenantId, EVENT_NOTIFICATIONS, [tenantId, ids]));
    }
  }

  private async storedAddresses(tenantId: string, recipientId: string): Promise<string[]> {
    const rows = await this.query<{ address: string }>(
      tenantId,
      `select lower(email) as address from recipients where tenant_id = $1 and id = $2 and email is not null
       union select phone from recipients where tenant_id = $1 and id = $2 and phone is not null
       union select token from devices where tenant_id = $1 and recipient_id = $2`,
      [tenantId, recipientId],
    );
    return rows.map(({ address }) => address);
  }

  /** Pages of a statement that takes the last key of the page before and the rows of a page. */
  private async *pages<Found extends PageRow>(
    { tenantId, recipientId }: Reading,
    text: string,
    first: string,
    { size, more }: { size: number; more: unknown[] } = { size: PAGE, more: [] },
  ): AsyncGenerator<Found[]> {
    let after = first;
    for (let found = size; found === size; ) {
      const page = await this.query<Found>(tenantId, text, [tenantId, recipientId, after, size, ...more]);
      found = page.length;
      after = page.at(-1)?.key ?? after;
      if (page.length > 0) yield page;
    }
  }

  private async query<Found extends object>(tenantId: string, text: string, values: unknown[]): Promise<Found[]> {
    return await this.database.queryForTenant<Found>(tenantId, { text, values });
  }
}

function* linesOf(rows: readonly Row[]): Generator<string> {
  for (const { line } of rows) if (line !== null) yield line;
}

function noteAddresses({ addresses }: Reading, deliveries: readonly DeliveryRow[]): void {
  for (const { channel, address, suppressed } of deliveries) {
    if (address !== null) addresses.add(comparableAddress(channel, address));
    if (suppressed !== null) addresses.add(suppressed);
  }
}
