import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { returnPath } from './return-path.js';

describe('the path after a sign-in', () => {
  it('is a view of the console', () => {
    for (const path of ['/console/', '/console/deliveries?state=failed&limit=50#x', '/console/tenants/%41'])
      expect(returnPath(path)).toBe(path);
  });

  it('is the start of the console for everything else', () => {
    const wrong = [
      undefined,
      ['/console/a', '/console/b'],
      '',
      '/',
      '/mailbox',
      '/console',
      '/consolex/',
      'https://evil.example/console/',
      '//evil.example/console/',
      '///evil.example',
      '/\\evil.example',
      '/console/\\..\\..\\evil',
      '/console/../../evil.example',
      '/console/..//evil.example',
      '/console/%2e%2e//evil.example',
      '/console/.%2E/internal/tenants',
      '/console/\t/evil',
      ' /console/',
      '/console/oidc/start',
      '/console/x/../oidc/callback?code=1',
      '/console/session',
      'javascript:alert(1)',
      `/console/${'x'.repeat(1_000)}`,
    ];
    for (const path of wrong) expect([path, returnPath(path)]).toEqual([path, '/console/']);
  });

  it('never leaves the console, as a browser reads it', () => {
    const part = fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '%2e',
      '%2f',
      '%5c',
      '@',
      ':',
      '//',
      'evil.example',
      '?',
      '#',
      '\n',
    );
    const path = fc.array(fc.oneof(part, fc.string({ maxLength: 5 })), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.constantFrom('/console/', '/console', '/', ''), path, (before, rest) => {
        const { origin, pathname } = new URL(returnPath(before + rest), 'https://carillon.example');
        expect([origin, pathname.startsWith('/console/')]).toEqual(['https://carillon.example', true]);
      }),
      { numRuns: 2_000 },
    );
  });
});
