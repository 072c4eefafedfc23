/** Ids may contain any printable character. */
export function recipientPath(id: string, tab?: string): string {
  const path = `/recipients/${encodeURIComponent(id)}`;
  return tab ? `${path}/${tab}` : path;
}
