import type { ChannelId } from '#domain';
import { columns } from '../../columns.js';

interface Lane {
  channel: ChannelId;
  lane: 1 | 2 | 3;
}

/** Where claims of a lane begin to read the index of due deliveries (docs/adr/0025). */
export interface LaneWatermark {
  /** No delivery is known to be due before this, except those of lagging tenants. Null until the lane has been scanned. */
  dueFrom: Date | null;
  /** Tenants with something older, and when the oldest of it was due. */
  lagging: ReadonlyMap<string, Date>;
}

/** The result of scanning one lane. */
export interface LaneScan extends Lane {
  /** Lagging tenants, most overdue first; one more than {@link MAX_LAGGING_TENANTS} when there are more. */
  tenants: string[];
  /** When the oldest delivery of each of these was due. */
  dueAts: Date[];
  /** Every delivery due before this is visible, unless its transaction took longer than the grace period. */
  committedBefore: Date;
}

type WatermarkedLane = Lane & { watermark: LaneWatermark };

/** Tenants of a lane that have a watermark of their own. When more lag, the lane's watermark is the oldest due delivery of the next one. */
export const MAX_LAGGING_TENANTS = 100;
const NOT_SCANNED: LaneWatermark = { dueFrom: null, lagging: new Map() };

/** The watermarks of all lanes, in memory of each process. One that is too low costs reads; one that is too high delays deliveries until the next rescan. */
export class ClaimWatermarks {
  private readonly watermarks = new Map<string, LaneWatermark>();

  get(lane: Lane): LaneWatermark {
    return this.watermarks.get(nameOf(lane)) ?? NOT_SCANNED;
  }

  /** All lanes of these channels. */
  lanes(channels: readonly ChannelId[]): WatermarkedLane[] {
    return lanesOf(channels).map((lane) => ({ ...lane, watermark: this.get(lane) }));
  }

  /**
   * Sets the watermarks from a scan that began at those of `scannedFrom`. Skips a lane that a rescan has replaced meanwhile: the rescan may have found
   * late deliveries that this scan did not read.
   */
  advance(scannedFrom: readonly WatermarkedLane[], scans: readonly LaneScan[]): void {
    const before = new Map(scannedFrom.map(({ watermark, ...lane }) => [nameOf(lane), watermark]));
    this.replace(scans.filter((scan) => this.get(scan) === before.get(nameOf(scan))));
  }

  /** Sets the watermarks from a scan of everything. */
  replace(scans: readonly LaneScan[]): void {
    for (const scan of scans) this.watermarks.set(nameOf(scan), watermarkOf(scan));
  }
}

/** Arrays for a scan: of each lane its channel, number and where to begin; of each lagging tenant channel, lane, id and time. */
export function scanColumns(
  lanes: readonly WatermarkedLane[],
  beginAt: (watermark: LaneWatermark) => Date | string | null,
): unknown[][] {
  const lagging = lanes.flatMap(({ watermark, ...lane }) =>
    [...watermark.lagging].map(([tenantId, dueAt]) => ({ ...lane, tenantId, dueAt })),
  );
  return [
    ...columns(lanes, [({ channel }) => channel, ({ lane }) => lane, ({ watermark }) => beginAt(watermark)]),
    ...columns(lagging, [({ channel }) => channel, ({ lane }) => lane, (row) => row.tenantId, (row) => row.dueAt]),
  ];
}

/** All lanes of these channels as if they had never been scanned. */
export function unscannedLanes(channels: readonly ChannelId[]): WatermarkedLane[] {
  return lanesOf(channels).map((lane) => ({ ...lane, watermark: NOT_SCANNED }));
}

/** Dates are cut to milliseconds, so a watermark is never later than its delivery. */
function watermarkOf({ tenants, dueAts, committedBefore }: LaneScan): LaneWatermark {
  return {
    dueFrom: dueAts[MAX_LAGGING_TENANTS] ?? committedBefore,
    lagging: new Map(tenants.slice(0, MAX_LAGGING_TENANTS).map((tenantId, index) => [tenantId, dueAts[index]!])),
  };
}

function lanesOf(channels: readonly ChannelId[]): Lane[] {
  return channels.flatMap((channel) => ([1, 2, 3] as const).map((lane) => ({ channel, lane })));
}

const nameOf = ({ channel, lane }: Lane): string => `${channel}:${lane}`;
