import { describe, expect, it } from 'vitest';
import { ProviderError } from '#domain';
import type { ProviderMessage } from '../define-provider.js';
import { emailOf, partsOf } from './email.js';

const ACCOUNT = 'Carillon <carillon@example.com>';

const message = (content: Record<string, unknown>): ProviderMessage => ({
  tenantId: 't',
  notificationId: 'n',
  deliveryId: 'd',
  recipientId: 'r',
  attempt: 1,
  channel: 'email',
  to: 'someone@example.com',
  content: { subject: 'Hello', text: 'Hello', ...content },
});

function refusal(content: Record<string, unknown>, from = ACCOUNT): Pick<ProviderError, 'kind' | 'code' | 'message'> {
  try {
    emailOf(message(content), from);
  } catch (error) {
    return error as ProviderError;
  }
  throw new Error('it was taken');
}

/** Milliseconds of the processor, so that a busy machine does not count. */
function millisecondsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

describe('a sender', () => {
  it.each([
    ['a@example.com', 'a@example.com', undefined],
    ['  a@example.com  ', 'a@example.com', undefined],
    ['<a@example.com>', 'a@example.com', undefined],
    ['Acme <a@example.com>', 'a@example.com', 'Acme'],
    ['"Acme, Inc." <a@example.com>', 'a@example.com', 'Acme, Inc.'],
    ['Acme, Inc. <a@example.com>', 'a@example.com', 'Acme, Inc.'],
    ['Grüße & Co <a@example.com>', 'a@example.com', 'Grüße & Co'],
  ])('%s is an address and perhaps a name', (from, address, name) => {
    expect(partsOf(from)).toEqual({ address, name });
    expect(emailOf(message({ from }), ACCOUNT).from).toBe(from);
  });

  it.each(['nobody', 'a@example.com, b@example.com', '""', '<>', `${'a'.repeat(250)}@example.com`])(
    'that is not one address of at most 254 characters is refused: %s',
    (from) => {
      expect(refusal({ from })).toMatchObject({ kind: 'rejected', code: 'bad_sender' });
      expect(refusal({ from }).message).toMatch(/^from must be one address/);
      // Not the fault of this message, but of the account.
      expect(refusal({}, from)).toMatchObject({ kind: 'misconfigured', code: 'bad_sender' });
    },
  );
});

const MEGABYTE = 1_000_000;
const hostile: Record<string, string> = {
  spaces: `a${' '.repeat(MEGABYTE)}`,
  'spaces before an angle bracket': `a${' '.repeat(MEGABYTE)}<a@example.com`,
  quotes: '"'.repeat(MEGABYTE),
  'quoted words': '"a" '.repeat(MEGABYTE / 4),
  'open angle brackets': '<'.repeat(MEGABYTE),
  'angle brackets': '<>'.repeat(MEGABYTE / 2),
  'open comments': '('.repeat(MEGABYTE),
  'nested comments': '('.repeat(MEGABYTE / 2) + ')'.repeat(MEGABYTE / 2),
  commas: ','.repeat(MEGABYTE),
  names: 'a, '.repeat(MEGABYTE / 3),
  groups: 'a:;'.repeat(MEGABYTE / 3),
  backslashes: `"${'\\'.repeat(MEGABYTE)}`,
  'at signs': '@'.repeat(MEGABYTE),
};

describe('a sender of a megabyte', () => {
  it.each(Object.entries(hostile))('of %s is read in linear time', (_, from) => {
    // Ten times as much takes ten times as long; a quadratic parser takes a hundred times as long, many seconds.
    expect(millisecondsOf(() => partsOf(from))).toBeLessThan(3_000);
  });
});

const nested = (tag: string, size: number): string => `<${tag}>`.repeat(Math.floor(size / (tag.length + 2)));

describe('the text of a message without one', () => {
  it.each([
    ['nested div', nested('div', MEGABYTE)],
    ['nested b', nested('b', MEGABYTE)],
    ['nested tables', nested('table><tr><td', MEGABYTE)],
    ['lists', nested('ul><li', MEGABYTE)],
    ['rules', nested('hr', MEGABYTE)],
    ['paragraphs', nested('p', MEGABYTE)],
    ['rows', `<table>${'<tr><td>a'.repeat(MEGABYTE / 9)}`],
    ['links', '<a href="x">y</a>'.repeat(MEGABYTE / 16)],
    ['an open comment', `<!--${'-'.repeat(MEGABYTE)}`],
    ['angle brackets', '<'.repeat(MEGABYTE)],
    ['ampersands', '&'.repeat(MEGABYTE)],
    ['attributes', `<p ${'a=b '.repeat(MEGABYTE / 4)}>x</p>`],
    ['words', 'ab '.repeat(MEGABYTE / 3)],
    ['one word', 'a'.repeat(MEGABYTE)],
  ])('is made of a megabyte of %s in bounded time', (_, html) => {
    expect(millisecondsOf(() => emailOf(message({ html, text: undefined }), ACCOUNT))).toBeLessThan(500);
  });

  it('is that of the whole html where that is of an ordinary size', () => {
    const rows = Array.from({ length: 500 }, (_, row) => `<tr><td>${row}</td><td>word ${row}</td></tr>`);
    const { text } = emailOf(message({ html: `<table>${rows.join('')}</table>`, text: undefined }), ACCOUNT);
    expect(text).toContain('word 499');
  });

  it('ends with three dots where it was cut, and never inside a tag', () => {
    const { text } = emailOf(message({ html: 'Hello <b>you</b> '.repeat(10_000), text: undefined }), ACCOUNT);
    expect(text).toMatch(/Hello[^<>]*\.\.\.$/);
    expect(text.length).toBeLessThan(100_000);
  });
});
