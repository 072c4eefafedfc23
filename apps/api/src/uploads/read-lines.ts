import { DomainError } from '#domain';
import { DEFAULT_BODY_LIMITS } from '../http/body-shape.js';

/** A gigabyte. */
export const MAX_UPLOAD_BYTES = 1024 * 1024 * 1024;
/** Recipients of one upload. */
const MAX_LINES = 1_000_000;
const LINE_FEED = 0x0a;

export interface RawLine {
  /** From 1. Blank lines count. */
  line: number;
  /** Without the line feed; null if it is too long. */
  bytes: Buffer | null;
}

/**
 * Splits a stream into lines without the blank ones, and yields those of each chunk that arrives. Holds at most one
 * incomplete line. Throws `payload_too_large` for too many bytes or lines.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<RawLine[]> {
  let bytes = 0;
  const splitter = new Splitter();
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_UPLOAD_BYTES)
      throw new DomainError('payload_too_large', `An upload may have at most ${MAX_UPLOAD_BYTES} bytes.`);
    yield splitter.push(chunk);
  }
  yield splitter.end();
}

class Splitter {
  private line = 0;
  private parts: Buffer[] = [];
  private length = 0;

  push(chunk: Buffer): RawLine[] {
    const lines: RawLine[] = [];
    let from = 0;
    for (let to = chunk.indexOf(LINE_FEED); to !== -1; to = chunk.indexOf(LINE_FEED, from)) {
      this.add(chunk.subarray(from, to));
      lines.push(...this.end());
      if (this.line > MAX_LINES + 1) throw tooManyLines();
      from = to + 1;
    }
    this.add(chunk.subarray(from));
    return lines;
  }

  /** The line that is complete; none if it is blank. */
  end(): RawLine[] {
    this.line += 1;
    const bytes = this.length > DEFAULT_BODY_LIMITS.bytes ? null : Buffer.concat(this.parts);
    this.parts = [];
    this.length = 0;
    if (bytes && isBlank(bytes)) return [];
    if (this.line > MAX_LINES + 1) throw tooManyLines();
    return [{ line: this.line, bytes }];
  }

  /** Keeps nothing of a line that is too long. */
  private add(part: Buffer): void {
    this.length += part.length;
    if (this.length > DEFAULT_BODY_LIMITS.bytes) this.parts = [];
    else if (part.length > 0) this.parts.push(part);
  }
}

/** Blank lines count too: each takes time. */
function tooManyLines(): DomainError {
  return new DomainError('payload_too_large', `An upload may have at most ${MAX_LINES} lines after the first.`);
}

/** Space, tab and carriage return. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
