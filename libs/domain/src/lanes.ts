/** The lane of a priority, as it is stored: 1 urgent (1-3), 2 normal (4-6), 3 bulk (7-10). */
export function laneOf(priority: number): 1 | 2 | 3 {
  if (priority <= 3) return 1;
  return priority <= 6 ? 2 : 3;
}
