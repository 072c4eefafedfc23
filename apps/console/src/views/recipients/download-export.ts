export interface ExportProgress {
  lines: number;
  bytes: number;
}

/** Reads an export and returns it as a file. Throws if its last line, which says that it is complete, is missing. */
export async function readExport(response: Response, progress: (done: ExportProgress) => void): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body!.getReader();
  let [lines, bytes] = [0, 0];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    bytes += part.value.byteLength;
    lines += part.value.reduce((count, byte) => (byte === NEWLINE ? count + 1 : count), 0);
    progress({ lines, bytes });
  }
  const file = new Blob(parts, { type: 'application/x-ndjson' });
  const end = await file.slice(-LAST_LINE_BYTES).text();
  if (!/\{"kind":"end".*\}\n$/.test(end)) throw new Error('The export broke off before its end. Try again.');
  return file;
}

const NEWLINE = 10;
const LAST_LINE_BYTES = 200;

export function saveFile(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  // The browser has taken the file by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
