import { describe, expect, it } from 'vitest';
import { readLines } from './read-lines.js';

async function* chunksOf(...parts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

async function read(...parts: (string | Buffer)[]): Promise<[number, string | null][]> {
  const all: [number, string | null][] = [];
  for await (const lines of readLines(chunksOf(...parts)))
    for (const { line, bytes } of lines) all.push([line, bytes === null ? null : String(bytes)]);
  return all;
}

describe('the lines of an upload', () => {
  it('are split at line feeds, wherever the chunks end, and blank ones count', async () => {
    expect(await read('a', 'b\r', '\n\n', ' \t\r\nc\n', 'é'.slice(0, 1), '\n')).toEqual([
      [1, 'ab\r'],
      [4, 'c'],
      [5, 'é'],
    ]);
    expect(await read('')).toEqual([]);
  });

  it('are without bytes if they are too long', async () => {
    const half = 'x'.repeat(200 * 1024);
    expect(await read(half, half, half, '\nshort')).toEqual([
      [1, null],
      [2, 'short'],
    ]);
  });

  it('are at most 1,000,000 after the first, with the blank ones', async () => {
    const most = await read('x\n'.repeat(500_001), '\n'.repeat(499_999), 'last\n');
    expect(most.at(-1)).toEqual([1_000_001, 'last']);
    await expect(read('\n'.repeat(1_000_001), 'x')).rejects.toMatchObject({ code: 'payload_too_large' });
    await expect(read('\n'.repeat(1_000_002))).rejects.toMatchObject({ code: 'payload_too_large' });
  });
});
