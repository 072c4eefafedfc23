// How often deliveries are counted, and how far that has come.

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/**
 * Each delivery is counted several times, because its state changes: soon after it was accepted, and again when it is
 * as old as `lagMs`. A pass replaces the counts of whole minutes or hours, so that counting twice, the loss of a worker
 * and late commits do no harm. A change after the last pass is not seen.
 */
export const passes = [
  { pass: 0, lagMs: 0, spanMinutes: 1 },
  { pass: 1, lagMs: 2 * MINUTE, spanMinutes: 1 },
  { pass: 2, lagMs: 15 * MINUTE, spanMinutes: 1 },
  { pass: 3, lagMs: 2 * HOUR, spanMinutes: 60 },
  { pass: 4, lagMs: DAY, spanMinutes: 60 },
  { pass: 5, lagMs: 8 * DAY, spanMinutes: 60 },
] as const;
export type Pass = (typeof passes)[number];

/** Before it, hours are counted; after it, only minutes. */
export const FIRST_HOURLY_PASS = 3;
/** Before it, the counts of hours are final. */
export const LAST_PASS = 5;
/** The position of the sums of days, beside those of the passes. */
export const SUMS_OF_DAYS = 6;

/** Index: statistics_passes_pkey. */
export const SET_POSITION = `
insert into statistics_passes (tenant_id, pass, counted_until) values ($1, $2, $3)
on conflict (tenant_id, pass) do update set counted_until = excluded.counted_until`;
