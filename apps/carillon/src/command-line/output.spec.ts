import { afterEach, expect, it, vi } from 'vitest';
import { ProgressLine } from './output.js';

const { isTTY } = process.stderr;
afterEach(() => {
  process.stderr.isTTY = isTTY;
  vi.restoreAllMocks();
});

it('a progress line does not control the terminal', () => {
  let written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
  process.stderr.isTTY = true;
  const progress = new ProgressLine();
  progress.show('1 done (internal: \u001b[2J\u009b2Jgone)\rforged');
  progress.end();
  expect(written).toBe(`\r1 done (internal: \ufffd[2J\ufffd2Jgone)\ufffdforged\r${' '.repeat(37)}\r`);
});
