/** 1 urgent, 2 normal, 3 bulk. */
export type LaneNumber = 1 | 2 | 3;

/** The lane of a priority: priorities 1 to 3 are urgent, 4 to 6 normal, 7 to 10 bulk. */
export function laneOf(priority: number): LaneNumber {
  if (priority <= 3) return 1;
  return priority <= 6 ? 2 : 3;
}

/** The name of a channel's lane in wake-ups and metrics: `email:2`. */
export function laneName(channel: string, lane: LaneNumber): string {
  return `${channel}:${lane}`;
}
