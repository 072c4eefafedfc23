/** The bytes of one JSON value, with the line that it begins in; null if it is too long or does not end. */
export interface RawRow {
  line: number;
  bytes: Buffer | null;
}

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
const SPACES = new Set([0x20, 0x09, 0x0d, LINE_FEED]);

/** Collects the parts of a row that lie in several chunks. Of a row that is too long it keeps nothing. */
class Collector {
  private parts: Buffer[] = [];
  private length = 0;

  constructor(private readonly maxBytes: number) {}

  add(part: Buffer): void {
    this.length += part.length;
    if (this.length > this.maxBytes) this.parts = [];
    else this.parts.push(part);
  }

  take(): Buffer | null {
    const bytes = this.length > this.maxBytes ? null : Buffer.concat(this.parts);
    this.parts = [];
    this.length = 0;
    return bytes;
  }
}

export async function* linesOf(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<RawRow> {
  const row = new Collector(maxBytes);
  let line = 1;
  for await (const chunk of source) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, from)) {
      row.add(chunk.subarray(from, end));
      yield { line, bytes: row.take() };
      from = end + 1;
      line += 1;
    }
    row.add(chunk.subarray(from));
  }
  yield { line, bytes: row.take() };
}

/**
 * The elements of one array. Counts brackets and knows texts, so a broken element ends where its brackets do. An array
 * that ends within an element gives a last row without bytes.
 */
export async function* elementsOf(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<RawRow> {
  const row = new Collector(maxBytes);
  let [depth, line, begin] = [0, 1, 0];
  let [isText, isEscaped] = [false, false];
  for await (const chunk of source) {
    // Of the part of the row in this chunk; -1 between rows.
    let from = begin > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (byte === LINE_FEED) line += 1;
      if (isText) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) isText = false;
        continue;
      }
      const isEnd = depth === 1 && (byte === COMMA || CLOSING.has(byte));
      if (isEnd && begin > 0) {
        row.add(chunk.subarray(from, at));
        yield { line: begin, bytes: row.take() };
        [begin, from] = [0, -1];
      } else if (depth === 1 && begin === 0 && !isEnd && !SPACES.has(byte)) [begin, from] = [line, at];
      if (byte === QUOTE) isText = true;
      else if (OPENING.has(byte)) depth += 1;
      else if (CLOSING.has(byte)) depth -= 1;
    }
    if (begin > 0) row.add(chunk.subarray(from));
  }
  if (depth > 0) yield { line: begin || line, bytes: null };
}
