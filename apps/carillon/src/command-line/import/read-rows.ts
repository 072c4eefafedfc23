// Reads the rows of an export: one JSON value per line, a JSON array, or CSV. Holds one row in memory, whatever the
// size of the file, and goes on after a row that is broken.

import type { ReadStream } from 'node:fs';
import { CsvError, parse } from 'csv-parse';
import { elementsOf, linesOf, type RawRow } from './split-json.js';

/** A page of a list may be one row of the file. */
const MAX_ROW_BYTES = 4 * 1024 * 1024;

export type Row = { line: number; value: Record<string, unknown> } | { line: number; fault: string };

export async function* readRows(source: ReadStream, isCsv: boolean): AsyncGenerator<Row> {
  try {
    if (isCsv) yield* csvRows(source);
    else for await (const raw of await splitOf(source)) yield* rowsIn(raw);
  } finally {
    source.destroy();
  }
}

/** The first character decides: an array, or one value per line. */
async function splitOf(source: AsyncIterable<Buffer>): Promise<AsyncGenerator<RawRow>> {
  const chunks = source[Symbol.asyncIterator]();
  const { value = Buffer.alloc(0), done } = await chunks.next();
  const first = value.subarray(0, 3).equals(BYTE_ORDER_MARK) ? value.subarray(3) : value;
  async function* all(): AsyncGenerator<Buffer> {
    yield first;
    if (!done) for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  }
  const isArray = /^\s*\[/.test(first.toString('latin1', 0, 1_000));
  return isArray ? elementsOf(all(), MAX_ROW_BYTES) : linesOf(all(), MAX_ROW_BYTES);
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const decoder = new TextDecoder('utf-8', { fatal: true });

function* rowsIn({ line, bytes }: RawRow): Generator<Row> {
  if (bytes === null) {
    yield { line, fault: `has more than ${MAX_ROW_BYTES / 1024 / 1024} MB, or does not end` };
    return;
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    yield { line, fault: 'is not UTF-8' };
    return;
  }
  if (text.trim() === '') return;
  try {
    yield* rowsOf(JSON.parse(text), line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    yield { line, fault: `is not JSON: ${error.message}` };
  }
}

/** A row, or the rows of a page of a list: `data` of Novu, `entries` of Knock. */
function* rowsOf(value: unknown, line: number): Generator<Row> {
  if (!isObject(value)) {
    yield { line, fault: 'is not an object' };
    return;
  }
  const isPage = 'totalCount' in value || 'pageSize' in value || 'next' in value || 'page_info' in value;
  const items = isPage ? (value['data'] ?? value['entries']) : undefined;
  if (Array.isArray(items)) for (const item of items) yield* rowsOf(item, line);
  else yield { line, value };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function* csvRows(source: AsyncIterable<Buffer> & NodeJS.ReadableStream): AsyncGenerator<Row> {
  const faults: Row[] = [];
  const parser = parse({
    bom: true,
    columns: true,
    info: true,
    max_record_size: MAX_ROW_BYTES,
    skip_empty_lines: true,
    skip_records_with_error: true,
    onSkip: (error) => {
      // A quote that is not closed takes the rest of the file.
      if (error?.code === 'CSV_MAX_RECORD_SIZE') throw error;
      faults.push({ line: Number(error?.['lines'] ?? 0), fault: `is not CSV: ${error?.message}` });
      return undefined;
    },
  });
  source.on('error', (error) => parser.destroy(error)).pipe(parser);
  try {
    for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
      yield* faults.splice(0);
      const cells = Object.entries(record).filter(([, cell]) => cell !== '');
      // csv-parse replaces bytes that are not UTF-8.
      if (cells.some(([, cell]) => cell.includes('\ufffd'))) yield { line: info.lines, fault: 'is not UTF-8' };
      else yield { line: info.lines, value: Object.fromEntries(cells) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    faults.push({ line: Number(error['lines'] ?? 0), fault: `is not CSV: ${error.message}; the rest was not read` });
  }
  yield* faults;
}

interface CsvRecord {
  record: Record<string, string>;
  info: { lines: number };
}
