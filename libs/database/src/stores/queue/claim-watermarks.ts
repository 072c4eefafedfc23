import type { ChannelId } from '#domain';

export interface Lane {
  channel: ChannelId;
  lane: 1 | 2 | 3;
}

/** Where claims of a lane begin to read the index of due deliveries (docs/adr/0025). */
export interface LaneWatermark {
  /** No delivery is known to be due before this, except those of lagging tenants. Null until the lane has been scanned. */
  dueFrom: Date | null;
  /** Tenants with something older, in order of id, and when the oldest of it was due. */
  lagging: readonly LaggingTenant[];
}

interface LaggingTenant {
  tenantId: string;
  dueAt: Date;
}

/** The result of scanning one lane: lagging tenants in order of id, and when the oldest delivery of each was due. */
export interface LaneScan {
  tenants: string[];
  dueAts: Date[];
  /** Every delivery due before this is visible, unless its transaction took longer than the grace period. */
  committedBefore: Date;
}

const NOT_SCANNED: LaneWatermark = { dueFrom: null, lagging: [] };

/** The watermarks of all lanes, in memory of each process. One that is too low costs reads; one that is too high delays deliveries until the next rescan. */
export class ClaimWatermarks {
  private readonly watermarks = new Map<string, LaneWatermark>();

  get(lane: Lane): LaneWatermark {
    return this.watermarks.get(nameOf(lane)) ?? NOT_SCANNED;
  }

  /**
   * Sets the watermark from a scan that began at `scannedFrom`, unless a rescan has replaced it meanwhile: the rescan may have found
   * late deliveries that this scan did not read.
   */
  advance(lane: Lane, scannedFrom: LaneWatermark, scan: LaneScan): void {
    if (this.get(lane) === scannedFrom) this.replace(lane, scan);
  }

  /** Sets the watermark from a scan of the whole lane. Dates are cut to milliseconds, so a watermark is never later than its delivery. */
  replace(lane: Lane, { tenants, dueAts, committedBefore }: LaneScan): void {
    const lagging = tenants.map((tenantId, index) => ({ tenantId, dueAt: dueAts[index]! }));
    this.watermarks.set(nameOf(lane), { dueFrom: committedBefore, lagging });
  }
}

export function lanesOf(channels: readonly ChannelId[]): Lane[] {
  return channels.flatMap((channel) => ([1, 2, 3] as const).map((lane) => ({ channel, lane })));
}

const nameOf = ({ channel, lane }: Lane): string => `${channel}:${lane}`;
