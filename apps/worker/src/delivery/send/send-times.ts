import type { Config } from '#config';

export interface SendTimes {
  /** The longest a provider may take, in milliseconds. */
  deadlineMs: number;
  /** The part of the lease that is kept to record the outcome, in milliseconds. */
  marginMs: number;
}

/** A third of the lease to send and a third to record: see LEASE_SECONDS in docs/configuration.md. */
export function sendTimes({ leaseSeconds }: Pick<Config, 'leaseSeconds'>): SendTimes {
  const third = (leaseSeconds * 1_000) / 3;
  return { deadlineMs: third, marginMs: third };
}
