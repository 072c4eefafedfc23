// Applies many receipts in a few statements (receipt-statements.ts).

import { type DeliveryState, isFinal } from '#domain';
import type { Sql } from '../../../statement.js';
import { CONFIRM_MOVES, sourcesOf } from '../delivery-moves.js';
import type { DeliveryReceipt, ReceiptResult } from './delivery-receipt.js';
import {
  APPLY_RECEIPTS,
  CONFIRM_UNKNOWN_SENDS,
  confirmColumns,
  receiptColumns,
  SUPPRESS_REFUSED,
} from './receipt-statements.js';

/** States that a receipt changes only after it has proved that the delivery was sent. */
const CONFIRMABLE: ReadonlySet<DeliveryState> = new Set(sourcesOf(CONFIRM_MOVES));

/** Returns the results in the order of the receipts. Receipts of one delivery are applied in their order. */
export async function applyReceipts(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<ReceiptResult[]> {
  const results: ReceiptResult[] = new Array(receipts.length);
  const { rounds, repeats } = inRounds(receipts);
  for (const round of rounds) {
    const found = await applyRound(
      sql,
      round.map((index) => receipts[index]!),
    );
    round.forEach((index, at) => {
      results[index] = found[at]!;
    });
  }
  for (const [index, first] of repeats) results[index] = results[first] === 'applied' ? 'repeated' : results[first]!;
  return results;
}

/**
 * A statement changes a row only once, so the second receipt of a delivery goes into the second round. A repeat within
 * the batch goes into no round: there are at most as many rounds as different receipts of one delivery.
 */
function inRounds(receipts: readonly DeliveryReceipt[]): { rounds: number[][]; repeats: [number, number][] } {
  const rounds: number[][] = [];
  const repeats: [number, number][] = [];
  const seen = new Map<string, Map<string, number>>();
  receipts.forEach(({ tenantId, accountId, deliveryId, kind, suppress }, index) => {
    const delivery = `${tenantId} ${deliveryId}`;
    const earlier = seen.get(delivery) ?? new Map<string, number>();
    seen.set(delivery, earlier);
    const same = `${accountId} ${kind} ${suppress}`;
    const first = earlier.get(same);
    if (first === undefined) {
      rounds[earlier.size] ??= [];
      rounds[earlier.size]!.push(index);
      earlier.set(same, index);
    } else repeats.push([index, first]);
  });
  return { rounds, repeats };
}

/**
 * Applies receipts of different deliveries. Those that changed nothing try to confirm an unknown send, and are applied
 * again if they did.
 */
async function applyRound(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<ReceiptResult[]> {
  const found = await changeDeliveries(sql, receipts);
  const results = found.map(resultOf);
  const open = found.flatMap(({ state }, at) =>
    results[at] === 'repeated' && state && CONFIRMABLE.has(state) ? [at] : [],
  );
  if (open.length === 0) return results;
  const confirmations = await confirmUnknownSends(
    sql,
    open.map((at) => receipts[at]!),
  );
  const again: number[] = [];
  open.forEach((at, index) => {
    const [confirmation, wasFinal] = [confirmations[index]!, isFinal(found[at]!.state!)];
    // `busy` after a final state: an operator has replayed the delivery since it was read, so it is waiting now.
    if (confirmation === 'confirmed' || (confirmation === 'busy' && wasFinal)) again.push(at);
    else results[at] = wasFinal ? 'refused' : 'early';
  });
  await suppressRefused(
    sql,
    open.flatMap((at) => (results[at] === 'refused' ? [receipts[at]!] : [])),
  );
  if (again.length === 0) return results;
  const later = await applyRound(
    sql,
    again.map((at) => receipts[at]!),
  );
  again.forEach((at, index) => {
    results[at] = later[index]!;
  });
  return results;
}

interface ChangeRow {
  ord: number;
  /** The state before the receipt; null when there is no such delivery. */
  state: DeliveryState | null;
  changed: boolean;
  /** Null while the delivery waits: the account of its send is not known yet. */
  is_own: boolean | null;
}

function resultOf({ state, changed, is_own: isOwn }: ChangeRow): ReceiptResult {
  if (state === null) return 'gone';
  if (isOwn === false) return 'foreign';
  return changed ? 'applied' : 'repeated';
}

async function changeDeliveries(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<ChangeRow[]> {
  const rows = await sql.query<ChangeRow>({
    name: 'apply_receipts',
    text: APPLY_RECEIPTS,
    values: receiptColumns.values(receipts),
  });
  return inOrder(receipts, rows);
}

/**
 * `confirmed`: it is `sent` now. `busy`: it has an unknown attempt of the account, but another statement is changing
 * the delivery at the moment.
 */
type Confirmation = 'confirmed' | 'busy' | 'no_unknown_attempt';

async function confirmUnknownSends(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<Confirmation[]> {
  const rows = await sql.query<{ ord: number; result: Confirmation }>({
    name: 'confirm_unknown_sends',
    text: CONFIRM_UNKNOWN_SENDS,
    values: confirmColumns.values(receipts),
  });
  return inOrder(receipts, rows).map(({ result }) => result);
}

async function suppressRefused(sql: Sql, refused: readonly DeliveryReceipt[]): Promise<void> {
  const suppressing = refused.filter(({ suppress }) => suppress !== undefined);
  if (suppressing.length > 0)
    await sql.query({
      name: 'suppress_refused',
      text: SUPPRESS_REFUSED,
      values: receiptColumns.values(suppressing),
    });
}

function inOrder<Row extends { ord: number }>(receipts: readonly unknown[], rows: readonly Row[]): Row[] {
  const found = new Map(rows.map((row) => [row.ord - 1, row]));
  return receipts.map((_, index) => found.get(index)!);
}
