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
  throw new Error('the sender was accepted');
}

/** CPU time in milliseconds, so that load on the machine does not count. */
function cpuMillisecondsOf(work: () => void): number {
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
  ])('%s is an address with an optional name', (from, address, name) => {
    expect(partsOf(from)).toEqual({ address, name });
    expect(emailOf(message({ from }), ACCOUNT).from).toBe(from);
  });

  it.each(['nobody', 'a@example.com, b@example.com', '""', '<>', `${'a'.repeat(250)}@example.com`])(
    'that is not one address of at most 254 characters is refused: %s',
    (from) => {
      expect(refusal({ from })).toMatchObject({ kind: 'rejected', code: 'bad_sender' });
      expect(refusal({ from }).message).toMatch(/^from must be one address/);
      // The sender of the account, so the message is not at fault.
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
  it.each(Object.entries(hostile))('of %s is parsed in linear time', (_, from) => {
    // A quadratic parser takes many seconds for a megabyte.
    expect(cpuMillisecondsOf(() => partsOf(from))).toBeLessThan(3_000);
  });
});
