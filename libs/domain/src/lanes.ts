/** The stored lane of a priority: 1 urgent (priorities 1 to 3), 2 normal (4 to 6), 3 bulk (7 to 10). */
export function laneOf(priority: number): 1 | 2 | 3 {
  if (priority <= 3) return 1;
  return priority <= 6 ? 2 : 3;
}
