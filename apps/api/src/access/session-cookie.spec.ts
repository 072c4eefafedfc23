import { fastify } from 'fastify';
import { describe, expect, it } from 'vitest';
import { cookieOf, isSecure, setCookie } from './session-cookie.js';

const PUBLIC_URL = 'https://carillon.example';
const BOTH = 'c=plain; __Host-c=of-the-host';

/** The value that counts, and the Set-Cookie header of an answer to the same request. */
async function answerTo(headers: Record<string, string>, publicUrl?: string): Promise<{ value: string; set: string }> {
  const server = fastify({ trustProxy: true });
  server.get('/', (request, reply) => {
    const options = { maxAgeSeconds: 60, sameSite: 'Strict', isSecure: isSecure(request, publicUrl) } as const;
    setCookie(reply, 'c', 'new', options);
    void reply.send(cookieOf(request, 'c', publicUrl) ?? 'none');
  });
  const { body, headers: answered } = await server.inject({ url: '/', headers });
  await server.close();
  return { value: body, set: String(answered['set-cookie']) };
}

describe('a cookie of the console', () => {
  it.each([
    ['a page with https', { origin: PUBLIC_URL }, undefined],
    ['a proxy that says https', { 'x-forwarded-proto': 'https' }, undefined],
    ['the host of the public URL', { host: 'carillon.example' }, PUBLIC_URL],
  ])('has the name that only this host can set: %s', async (_case, headers, publicUrl) => {
    for (const [cookie, value] of [
      [BOTH, 'of-the-host'],
      ['__Host-c=of-the-host; c=plain', 'of-the-host'],
      ['c=plain', 'none'],
      ['x__Host-c=a; __host-c=b', 'none'],
    ] as const)
      expect([cookie, await answerTo({ ...headers, cookie }, publicUrl)]).toEqual([
        cookie,
        { value, set: '__Host-c=new; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure' },
      ]);
  });

  it.each([
    ['without a public URL', { host: '127.0.0.1:3000' }, undefined],
    ['a page with http beside the public URL', { host: 'localhost', origin: 'http://localhost' }, PUBLIC_URL],
  ])('has the plain name with http: %s', async (_case, headers, publicUrl) => {
    expect(await answerTo({ ...headers, cookie: 'c=plain' }, publicUrl)).toEqual({
      value: 'plain',
      set: 'c=new; Path=/; Max-Age=60; HttpOnly; SameSite=Strict',
    });
  });

  it('is read under either name where a read without an origin leaves it open', async () => {
    // Of a page on loopback, or behind a proxy that replaces the host.
    const host = '127.0.0.1:3000';
    expect((await answerTo({ host, cookie: 'c=plain' }, PUBLIC_URL)).value).toBe('plain');
    expect((await answerTo({ host, cookie: BOTH }, PUBLIC_URL)).value).toBe('of-the-host');
  });
});
