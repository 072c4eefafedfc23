/** The three lanes of priority, most urgent first: priority 1-3, 4-6, 7-10. */
export const lanes = ['urgent', 'normal', 'bulk'] as const;
export type Lane = (typeof lanes)[number];

/** The lane's number as it is stored: 1 urgent, 2 normal, 3 bulk. */
export function laneOf(priority: number): 1 | 2 | 3 {
  if (priority <= 3) return 1;
  return priority <= 6 ? 2 : 3;
}
