import { newId, type ReceiptKind, type SuppressionReason, statesBefore, tallyOf } from '#domain';
import type { Database } from '../../database.js';
import { changedDeliveries, emit, FINISHED_NOTIFICATIONS, SUPPRESSION_EVENT } from './events.store.js';

/** What a vendor reports of one delivery. */
export interface DeliveryReceipt {
  tenantId: string;
  deliveryId: string;
  kind: ReceiptKind;
  detail: string | null;
  /** Puts the address of an e-mail or SMS on the suppression list. */
  suppress?: SuppressionReason | undefined;
}

/** `early`: the record of the send is not committed yet. `gone`: there is no such delivery (any more). */
export type ReceiptResult = 'applied' | 'repeated' | 'early' | 'gone';

interface ParkedRow {
  tenant_id: string;
  id: string;
  delivery_id: string;
  kind: ReceiptKind;
  detail: string | null;
  suppress: SuppressionReason | null;
  old: boolean;
}

/** How long a receipt waits for its send to be recorded. */
const PARKED_MINUTES = 60;

/** What vendors report, and what people settle, of deliveries that the pipeline is done with. Runs as the platform. */
export class ReceiptsStore {
  constructor(private readonly database: Database) {}

  /** Compare-and-set along the table of states; a repeat changes nothing. */
  async apply(receipt: DeliveryReceipt): Promise<ReceiptResult> {
    const { tenantId, deliveryId, kind, detail, suppress } = receipt;
    const isFlag = kind === 'complained' || kind === 'opened';
    const common = [tenantId, deliveryId, detail, newId(), suppress ?? null];
    const [row] = await this.database.platform.query<{ state: string | null; changed: boolean }>({
      name: `receipt_${kind}`,
      text: isFlag ? flag(kind) : MOVE,
      values: isFlag ? common : [...common, kind, statesBefore(kind, 'receipt'), tallyOf(kind) === 'failed'],
    });
    if (!row || row.state === null) return 'gone';
    if (row.changed) return 'applied';
    if (row.state !== 'waiting') return 'repeated';
    return (await this.prove(tenantId, deliveryId)) ? await this.apply(receipt) : 'early';
  }

  /** Whoever has a receipt was sent to. Returns false where no send is in doubt, or one is under way. */
  private async prove(tenantId: string, deliveryId: string): Promise<boolean> {
    const rows = await this.database.platform.query({
      name: 'prove_send',
      text: PROVE,
      values: [tenantId, deliveryId, newId()],
    });
    return rows.length > 0;
  }

  /** The same, and keeps what came too early until it can be applied. */
  async take(receipt: DeliveryReceipt): Promise<ReceiptResult> {
    const result = await this.apply(receipt);
    if (result !== 'early') return result;
    const { tenantId, deliveryId, kind, detail, suppress } = receipt;
    await this.database.platform.query({
      name: 'park_receipt',
      text: 'insert into parked_receipts (tenant_id, id, delivery_id, kind, detail, suppress) values ($1, $2, $3, $4, $5, $6)',
      values: [tenantId, newId(), deliveryId, kind, detail, suppress ?? null],
    });
    return result;
  }

  /** Tries parked receipts again whose send is on record by now, oldest first. Returns how many were applied and how many were given up. */
  async retryParked(limit = 500): Promise<{ applied: number; dropped: number }> {
    const rows = await this.database.platform.query<ParkedRow>({
      name: 'parked_receipts',
      text: `${PARKED} left join deliveries d on d.tenant_id = p.tenant_id and d.id = p.delivery_id
             where d.state is distinct from 'waiting' or p.created_at < now() - make_interval(mins => ${PARKED_MINUTES})
               or exists (select from attempts a where a.tenant_id = p.tenant_id and a.delivery_id = p.delivery_id and a.outcome = 'unknown')
             order by p.created_at limit $1`,
      values: [limit],
    });
    return await this.unpark(rows);
  }

  /** The same for one delivery whose outcome nobody knew until now. */
  async retryParkedOf(tenantId: string, deliveryId: string): Promise<{ applied: number; dropped: number }> {
    const rows = await this.database.platform.query<ParkedRow>({
      name: 'parked_receipts_of',
      text: `${PARKED} where p.tenant_id = $1 and p.delivery_id = $2 order by p.created_at`, // index: parked_receipts_delivery_id_idx
      values: [tenantId, deliveryId],
    });
    return await this.unpark(rows);
  }

  private async unpark(rows: readonly ParkedRow[]): Promise<{ applied: number; dropped: number }> {
    let [applied, dropped] = [0, 0];
    for (const row of rows) {
      const { tenant_id: tenantId, delivery_id: deliveryId, kind, detail, suppress } = row;
      const result = await this.apply({ tenantId, deliveryId, kind, detail, suppress: suppress ?? undefined });
      if (result === 'early' && !row.old) continue;
      if (result === 'applied') applied += 1;
      if (result === 'early' || result === 'gone') dropped += 1;
      await this.database.platform.query({
        name: 'unpark_receipt',
        text: 'delete from parked_receipts where tenant_id = $1 and id = $2',
        values: [tenantId, row.id],
      });
    }
    return { applied, dropped };
  }

  /** A person says what became of an unknown outcome. Returns its state before: null when there is no such delivery; anything but `unknown` was left alone. */
  async settle(
    tenantId: string,
    deliveryId: string,
    state: 'sent' | 'failed',
    note: string | null,
  ): Promise<string | null> {
    const [row] = await this.database.platform.query<{ state: string }>({
      name: 'settle',
      text: SETTLE,
      values: [tenantId, deliveryId, state, note, newId()],
    });
    return row?.state ?? null;
  }
}

const PARKED = `select p.*, p.created_at < now() - make_interval(mins => ${PARKED_MINUTES}) as old from parked_receipts p`;

/** The delivery as it was, locked. Index: the primary key of deliveries. */
const BEFORE = `before as materialized (
  select tenant_id, id, notification_id, state from deliveries where tenant_id = $1 and id = $2 for update
)`;

/** The suppression that a receipt brings, and its event. Whatever else the receipt changes, the address is what it is. */
const SUPPRESS = `listed as (
  insert into suppressions (tenant_id, id, channel, address, reason, detail, delivery_id)
  select d.tenant_id, $4, d.channel, a.address, $5::text, $3::text, d.id
  from before b join deliveries d on d.tenant_id = b.tenant_id and d.id = b.id
  left join recipients r on r.tenant_id = d.tenant_id and r.id = d.recipient_id
  cross join lateral (select case d.channel when 'email' then lower(coalesce(d.address, r.email)) when 'sms' then coalesce(d.address, r.phone) end) a(address)
  where $5::text is not null and a.address is not null and b.state <> 'waiting'
  on conflict do nothing
  returning *
), announced as (
  ${emit(`select tenant_id, 'suppression.created', null, id::text, ${SUPPRESSION_EVENT} from listed`)}
)`;

/** The event of what a receipt said of the rows in `changed`. */
const event = (kind: string): string => emit(changedDeliveries(kind, '$3::text'));

const told = (code: string): string => `told as (
  insert into decisions (tenant_id, delivery_id, id, code, detail) select tenant_id, id, gen_random_uuid(), ${code}, $3 from changed
)`;

const ANSWER = 'select (select state from before) as state, exists (select from changed) as changed';

/** A permanent bounce moves the delivery from the succeeded to the failed of its notification; an unknown outcome that was delivered the other way. */
const MOVE = `
with ${BEFORE}, changed as (
  update deliveries d set
    state = $6,
    delivered_at = case when $6 = 'delivered' then now() else d.delivered_at end
  from before b where d.tenant_id = b.tenant_id and d.id = b.id and b.state = any ($7)
  returning d.*
), counted as (
  update notifications n set
    succeeded = n.succeeded + case when b.state = 'unknown' and not $8::boolean then 1 when b.state <> 'unknown' and $8::boolean then -1 else 0 end,
    failed = n.failed + case when b.state = 'unknown' and not $8::boolean then -1 when b.state <> 'unknown' and $8::boolean then 1 else 0 end
  from before b join changed c on c.tenant_id = b.tenant_id and c.id = b.id
  where n.tenant_id = b.tenant_id and n.id = b.notification_id
), ${SUPPRESS}, emitted as (
  ${event('$6::text')}
), ${told('$6')}
${ANSWER}`;

/** A complaint and an opened mail are marks on a delivery, not states. */
const flag = (kind: 'complained' | 'opened'): string => `
with ${BEFORE}, changed as (
  update deliveries d set ${kind}_at = now()
  from before b where d.tenant_id = b.tenant_id and d.id = b.id and d.${kind}_at is null and b.state in ('sent', 'delivered', 'bounced', 'unknown')
  returning d.*
), ${SUPPRESS}, ${kind === 'complained' ? `emitted as (\n  ${event(`'complained'`)}\n), ` : ''}${told(`'${kind}'`)}
${ANSWER}`;

/**
 * A send of which nobody knew the end is to be tried again, and its receipt comes first: it was sent, and is not sent again. Deleting the due row is
 * what decides: an intent or a record that comes later finds no row. A send that is under way at this moment is left alone.
 */
const PROVE = `
with proof as materialized (
  select provider, provider_account_id, ended_at from attempts where tenant_id = $1 and delivery_id = $2 and outcome = 'unknown' order by number desc limit 1
), spared as (
  delete from due_deliveries q using proof where q.tenant_id = $1 and q.delivery_id = $2 and not q.sending
  returning q.tenant_id, q.delivery_id, q.attempt
), changed as (
  update deliveries d set
    state = 'sent', reason = null, attempts = s.attempt, provider = p.provider, provider_account_id = p.provider_account_id, sent_at = p.ended_at
  from spared s cross join proof p
  where d.tenant_id = s.tenant_id and d.id = s.delivery_id and d.state = 'waiting'
  returning d.*
), counted as (
  update notifications n set succeeded = n.succeeded + 1 from changed c where n.tenant_id = c.tenant_id and n.id = c.notification_id
  returning n.*
), emitted as (
  ${emit(`
    ${changedDeliveries("'sent'", "'settled'")} where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), told as (
  insert into decisions (tenant_id, delivery_id, id, code, reason, detail)
  select tenant_id, id, $3, 'settled', 'sent', 'a receipt came for a send whose outcome was unknown' from changed
)
select id from changed`;

/** An unknown outcome counts as failed; settled as sent it counts as succeeded. Settled as failed it is a dead letter. */
const SETTLE = `
with ${BEFORE}, changed as (
  update deliveries d set state = $3, reason = case when $3 = 'failed' then 'rejected' end, sent_at = case when $3 = 'sent' then now() end
  from before b where d.tenant_id = b.tenant_id and d.id = b.id and b.state = 'unknown'
  returning d.*
), counted as (
  update notifications n set succeeded = n.succeeded + 1, failed = n.failed - 1
  from changed c where $3 = 'sent' and n.tenant_id = c.tenant_id and n.id = c.notification_id
), emitted as (
  ${emit(changedDeliveries('$3::text', "'settled'"))}
), buried as (
  insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, provider, reason, code, detail, attempts)
  select tenant_id, $5, id, notification_id, recipient_id, channel, provider, 'rejected', 'settled', $4, attempts from changed where $3 = 'failed'
), told as (
  insert into decisions (tenant_id, delivery_id, id, code, reason, detail) select tenant_id, id, gen_random_uuid(), 'settled', $3, $4 from changed
)
select state from before`;
