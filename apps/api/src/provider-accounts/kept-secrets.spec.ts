import { describe, expect, it } from 'vitest';
import { DomainError } from '#domain';
import { withKeptSecrets } from './kept-secrets.js';

const stored = { host: 'smtp.example.com', port: 587, user: 'ann', password: 'a long password', from: 'a@b.example' };
const shown = { ...stored, password: '••••' };

describe('a change of credentials', () => {
  it('keeps the secrets that come back as they were shown', () => {
    const given = { ...shown, from: 'c@d.example' };
    expect(withKeptSecrets(given, shown, stored)).toEqual({ ...stored, from: 'c@d.example' });
  });

  it('replaces the others, and removes those that are missing', () => {
    expect(withKeptSecrets({ ...shown, password: 'new' }, shown, stored).password).toBe('new');
    const { password: _password, ...without } = shown;
    expect(withKeptSecrets(without, shown, stored)).toEqual(without);
  });

  it('sends no kept secret to another place', () => {
    for (const change of [
      { host: 'evil.example' },
      { port: 25 },
      { tls: 'none' },
      { endpoint: 'https://evil.example' },
      { url: 'https://evil.example' },
    ])
      expect(() => withKeptSecrets({ ...shown, ...change }, shown, stored)).toThrow(DomainError);
    const moved = { ...shown, host: 'evil.example', password: 'entered again' };
    expect(withKeptSecrets(moved, shown, stored)).toEqual(moved);
  });
});
