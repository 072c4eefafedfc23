import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isWeakSecret } from './weak-secret.js';

describe('a weak secret', () => {
  it.each([
    ['one letter', 'a'.repeat(40)],
    ['two letters', 'x7'.repeat(20)],
    ['the hexadecimal digits', '0123456789abcdef'.repeat(4)],
    ['the alphabet', 'abcdefghijklmnopqrstuvwxyz0123456789'],
    ['pairs in order', '00112233445566778899aabbccddeeff'],
    ['a word', 'deadbeef'.repeat(8)],
    ['16 random letters, repeated', 'q7Zk2mPx9LwRt4Vb'.repeat(3)],
    ['letters and then one letter', `bench-${'x'.repeat(40)}`],
  ])('is refused: %s', (_name, text) => {
    expect(isWeakSecret(Buffer.from(text))).toBe(true);
  });

  it.each([
    ['zeros', '00'.repeat(32)],
    ['the digits', '0123456789abcdef'.repeat(4)],
    ['a sequence', Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('hex')],
    ['a descending sequence', Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - 3 * index)).toString('hex')],
  ])('is refused as the bytes of a key: %s', (_name, hex) => {
    expect(isWeakSecret(Buffer.from(hex, 'hex'))).toBe(true);
  });

  it('is never a random one: 10,000 keys, and 10,000 tokens of each common form', () => {
    const forms: Record<string, () => Uint8Array> = {
      'the 32 bytes of a key': () => randomBytes(32),
      'openssl rand -hex 16': () => Buffer.from(randomBytes(16).toString('hex')),
      'openssl rand -hex 24': () => Buffer.from(randomBytes(24).toString('hex')),
      'openssl rand -base64 24': () => Buffer.from(randomBytes(24).toString('base64')),
      'a generated admin token': () => Buffer.from(`adm_${randomBytes(30).toString('base64url')}`),
    };
    const refused = Object.entries(forms).flatMap(([form, make]) =>
      Array.from({ length: 10_000 }, make)
        .filter(isWeakSecret)
        .map((secret) => `${form}: ${Buffer.from(secret).toString('hex')}`),
    );
    expect(refused).toEqual([]);
  });
});
