import { DomainError } from '#domain';
import { instruments } from '#telemetry';

export type Intake = 'single' | 'topic' | 'bulk' | 'kafka';

/** How many sends a request brought, by result. */
export interface AcceptCounts {
  accepted: number;
  /** Duplicates: their idempotency key was used before. */
  replayed: number;
  rejected: number;
}

/** Measures an accept and counts its sends. `countsOf`: for the result of `work`. */
export async function observeAccept<Result>(
  { intake, tenantId }: { intake: Intake; tenantId: string },
  work: () => Promise<Result>,
  countsOf: (result: Result) => AcceptCounts,
): Promise<Result> {
  const startedAt = performance.now();
  const { accept, notifications, tenants } = instruments();
  let result: 'answered' | 'rejected' | 'unavailable' = 'unavailable';
  try {
    const answer = await work();
    result = 'answered';
    const counts = countsOf(answer);
    for (const [name, count] of Object.entries(counts))
      if (count > 0) notifications.add(count, { intake, result: name });
    if (counts.accepted > 0) tenants.accepted.add(counts.accepted, tenantId);
    return answer;
  } catch (error) {
    if (error instanceof DomainError && error.status < 500) {
      result = 'rejected';
      notifications.add(1, { intake, result });
    }
    throw error;
  } finally {
    accept.record((performance.now() - startedAt) / 1_000, { intake, result });
  }
}

/** The counts of a request with one send. */
export function countsOfOne({ kind }: { kind: 'accepted' | 'replayed' }): AcceptCounts {
  return { accepted: kind === 'accepted' ? 1 : 0, replayed: kind === 'replayed' ? 1 : 0, rejected: 0 };
}
