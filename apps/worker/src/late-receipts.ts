import { instruments } from '#telemetry';

/** Counts what became of receipts that had come before their send was on record. */
export function countLateReceipts({ applied, dropped }: { applied: number; dropped: number }): void {
  const parked = { provider: '', kind: '' };
  if (applied > 0) instruments().receipts.add(applied, { ...parked, result: 'applied_later' });
  if (dropped > 0) instruments().receipts.add(dropped, { ...parked, result: 'dropped' });
}
