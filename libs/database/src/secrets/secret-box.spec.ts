import { describe, expect, it } from 'vitest';
import { SecretBox, WrongMasterKey } from './secret-box.js';

const place = { tenantId: 't', table: 'provider_accounts', id: '1' };
const [old, current, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)];

describe('the secret box', () => {
  it('opens a secret only for the row that it was sealed for', () => {
    const box = new SecretBox(Buffer.alloc(32, 7));
    const sealed = box.seal('pässword', place);
    expect(sealed).not.toContain('word');
    expect(box.open(sealed, place)).toBe('pässword');
    expect(box.seal('pässword', place)).not.toBe(sealed);
    for (const other of [
      { ...place, id: '2' },
      { ...place, tenantId: 'u' },
      { ...place, table: 'x' },
    ])
      expect(() => box.open(sealed, other)).toThrow();
    expect(() => new SecretBox(Buffer.alloc(32, 8)).open(sealed, place)).toThrow(/sealed under master key/);
    expect(() => box.open(`${sealed.slice(0, -2)}AA`, place)).toThrow();
    expect(() => box.open('nonsense', place)).toThrow('not a sealed secret');
    expect(() => new SecretBox(Buffer.alloc(16))).toThrow('32 bytes');
    expect(box.derive('a').equals(box.derive('b'))).toBe(false);
  });
});

describe('during a rotation of the master key', () => {
  it('the secret box opens secrets of both keys, and seals under the current one', () => {
    const before = new SecretBox(old).seal('secret', place);
    const rotating = new SecretBox(current, [other, old]);
    expect(rotating.open(before, place)).toBe('secret');
    const after = rotating.seal('secret', place);
    expect(after.split('.')[1]).toBe(rotating.keyId);
    expect(new SecretBox(current).open(after, place)).toBe('secret');
    expect(() => new SecretBox(old).open(after, place)).toThrow(WrongMasterKey);
    expect(() => new SecretBox(current, [Buffer.alloc(31)]).open(after, place)).toThrow('32 bytes');
  });

  it('re-wraps the data key only, and only for the same row', () => {
    const before = new SecretBox(old).seal('secret', place);
    const rotating = new SecretBox(current, [old]);
    const after = rotating.rewrap(before, place);
    expect(after.split('.')[3]).toBe(before.split('.')[3]);
    expect(after.split('.')[2]).not.toBe(before.split('.')[2]);
    expect(new SecretBox(current).open(after, place)).toBe('secret');
    expect(() => new SecretBox(current).open(before, place)).toThrow(WrongMasterKey);
    expect(() => rotating.rewrap(before, { ...place, id: '2' })).toThrow();
    expect(() => new SecretBox(current).rewrap(before, place)).toThrow(WrongMasterKey);
  });
});
