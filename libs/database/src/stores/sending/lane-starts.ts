import type { ChannelId } from '#domain';
import { columns } from '../../columns.js';

interface Lane {
  channel: ChannelId;
  lane: 1 | 2 | 3;
}

/** Where claims of a lane begin to read the index of due deliveries (docs/adr/0025). */
export interface LaneStart {
  /** Nothing older is due, except of the tenants in `behind`. */
  from: Date | string;
  /** The tenants that have something older, and when the oldest of it was due. */
  behind: ReadonlyMap<string, Date>;
}

/** What a look at the backlog of a lane has found. */
export interface FoundLane extends Lane {
  /** The tenants with something due before `committedTo`, the oldest first: {@link MAX_BEHIND} and one more at most. */
  tenants: string[];
  /** When the oldest delivery of each of these was due. */
  dueAts: Date[];
  /** What was due before this can be seen by now, unless its commit is slow. */
  committedTo: Date;
}

type LaneWithStart<Start> = Lane & { start: Start };

/** A delivery is due from the begin of its transaction at the earliest, and a statement may take 1.8 s. */
export const COMMITTED_WITHIN_SECONDS = 2;
/** Tenants of a lane that have a start of their own. The others begin at the oldest row of them all. */
export const MAX_BEHIND = 100;
const FIRST_ROW: LaneStart = { from: '-infinity', behind: new Map() };

/** The starts of all lanes, in memory: each process looks for itself. A start that is too early costs time and nothing else. */
export class LaneStarts {
  private readonly starts = new Map<string, LaneStart>();

  /** The first row of all before anybody has looked. */
  get({ channel, lane }: Lane): LaneStart {
    return this.starts.get(nameOf({ channel, lane })) ?? FIRST_ROW;
  }

  /** All lanes of these channels with their starts, or with `unknown` before anybody has looked. */
  lanes(channels: readonly ChannelId[]): LaneWithStart<LaneStart>[];
  lanes(channels: readonly ChannelId[], unknown: null): LaneWithStart<LaneStart | null>[];
  lanes(channels: readonly ChannelId[], unknown: LaneStart | null = FIRST_ROW): LaneWithStart<LaneStart | null>[] {
    return lanesOf(channels).map((lane) => ({ ...lane, start: this.starts.get(nameOf(lane)) ?? unknown }));
  }

  /** All lanes of these channels from their first row. */
  static whole(channels: readonly ChannelId[]): LaneWithStart<LaneStart>[] {
    return lanesOf(channels).map((lane) => ({ ...lane, start: FIRST_ROW }));
  }

  /** Arrays for a statement: of each lane its channel, number and start; of each tenant that is behind channel, lane, id and time. */
  static columns(lanes: readonly LaneWithStart<LaneStart | null>[]): unknown[][] {
    const behind = lanes.flatMap(({ start, ...lane }) =>
      [...(start?.behind ?? [])].map(([tenantId, dueAt]) => ({ ...lane, tenantId, dueAt })),
    );
    return [
      ...columns(lanes, [({ channel }) => channel, ({ lane }) => lane, ({ start }) => start?.from ?? null]),
      ...columns(behind, [({ channel }) => channel, ({ lane }) => lane, (row) => row.tenantId, (row) => row.dueAt]),
    ];
  }

  /** Claims begin at what was found from these starts. A start that was replaced meanwhile stays: this look may have missed what that one found. */
  advance(looked: readonly LaneWithStart<LaneStart | null>[], found: readonly FoundLane[]): void {
    const lookedFrom = new Map(looked.map(({ start, ...lane }) => [nameOf(lane), start]));
    for (const lane of found) {
      const name = nameOf(lane);
      if ((this.starts.get(name) ?? null) === lookedFrom.get(name)) this.starts.set(name, startOf(lane));
    }
  }

  /** Claims begin at what was found by a look at everything: it missed nothing that was committed when it began. */
  replace(found: readonly FoundLane[]): void {
    for (const lane of found) this.starts.set(nameOf(lane), startOf(lane));
  }
}

function startOf({ tenants, dueAts, committedTo }: FoundLane): LaneStart {
  return {
    from: dueAts[MAX_BEHIND] ?? committedTo,
    behind: new Map(tenants.slice(0, MAX_BEHIND).map((tenantId, index) => [tenantId, dueAts[index]!])),
  };
}

function lanesOf(channels: readonly ChannelId[]): Lane[] {
  return channels.flatMap((channel) => ([1, 2, 3] as const).map((lane) => ({ channel, lane })));
}

const nameOf = ({ channel, lane }: Lane): string => `${channel}:${lane}`;
