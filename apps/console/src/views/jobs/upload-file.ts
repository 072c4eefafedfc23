/** Of the first line; the API allows longer ones. */
const SHOWN_BYTES = 4_096;

export async function firstLineOf(file: File): Promise<string> {
  const start = await file.slice(0, SHOWN_BYTES).text();
  return start.split('\n', 1)[0]!.trim();
}

export function sizeInWords(bytes: number): string {
  if (bytes < 1_000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
