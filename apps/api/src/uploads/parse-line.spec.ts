import { expect, it } from 'vitest';
import { parseLine } from './parse-line.js';

const parse = (...parts: (string | number[])[]) =>
  parseLine({ line: 2, bytes: Buffer.concat(parts.map((part) => Buffer.from(part as string))) }, JSON.parse);

it('the text of a line is UTF-8, with or without a byte order mark', () => {
  expect(parse('{"a": "é"}\r')).toEqual({ value: { a: 'é' } });
  expect(parse([0xef, 0xbb, 0xbf], '{}')).toEqual({ value: {} });
  for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]])
    expect(parse('{"a": "', bytes, '"}')).toEqual({
      errors: [{ pointer: '/', code: 'invalid_text', message: 'the line is not UTF-8' }],
    });
});

it('an error never quotes the line', () => {
  expect(parse('{"a": secret}')).toEqual({
    errors: [{ pointer: '/', code: 'malformed_json', message: 'the line is not JSON' }],
  });
});
