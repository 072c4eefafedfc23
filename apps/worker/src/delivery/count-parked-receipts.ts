import { instruments } from '#telemetry';

/** Counts receipts that came before the send of their delivery was recorded. */
export function countParkedReceipts({ applied, dropped }: { applied: number; dropped: number }): void {
  const labels = { provider: '', kind: '' };
  if (applied > 0) instruments().receipts.add(applied, { ...labels, result: 'applied_later' });
  if (dropped > 0) instruments().receipts.add(dropped, { ...labels, result: 'dropped' });
}
