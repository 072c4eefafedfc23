// The cookie of a session of the console, and the header without which it does not count.

import type { FastifyReply } from 'fastify';
import { DomainError } from '#domain';
import type { CarillonRequest } from './access.js';

export const SESSION_COOKIE = 'carillon_console';
/** Browsers keep a cookie with it only if this host has set it over https: no other host of the domain can. */
const HTTPS_PREFIX = '__Host-';

/**
 * Whether the request is one of the console. A page of another site cannot send the header: browsers ask for it in a
 * preflight, which no route allows.
 */
export function isFromConsole({ headers }: CarillonRequest): boolean {
  return headers['x-carillon-console'] === '1';
}

/**
 * The value of a cookie of Carillon, or undefined. Over https, only the name with the prefix counts. Values need no
 * decoding.
 */
export function cookieOf(request: CarillonRequest, name: string, publicUrl: string | undefined): string | undefined {
  const { cookie = '' } = request.headers;
  const ofHost = valueIn(cookie, HTTPS_PREFIX + name);
  return ofHost ?? (isKnownToBeSecure(request, publicUrl) ? undefined : valueIn(cookie, name));
}

function valueIn(cookies: string, name: string): string | undefined {
  for (const pair of cookies.split(';')) {
    const [key, value] = pair.split('=', 2);
    if (key?.trim() === name) return value?.trim();
  }
  return undefined;
}

interface CookieOptions {
  maxAgeSeconds: number;
  /** `Lax`: the browser also sends it when a link or a redirect of another site leads here. */
  sameSite: 'Strict' | 'Lax';
  isSecure: boolean;
}

export function setCookie(reply: FastifyReply, name: string, value: string, options: CookieOptions): void {
  const { maxAgeSeconds, sameSite, isSecure } = options;
  const pair = `${isSecure ? HTTPS_PREFIX : ''}${name}=${value}`;
  // The prefix requires this path.
  const attributes = ['Path=/', `Max-Age=${maxAgeSeconds}`, 'HttpOnly', `SameSite=${sameSite}`];
  // Fastify collects several Set-Cookie headers.
  reply.header('Set-Cookie', [pair, ...attributes, ...(isSecure ? ['Secure'] : [])].join('; '));
}

/**
 * Whether the browser reached Carillon with https, as far as it is known. Then cookies are `Secure`. The origin that
 * the browser sends is right behind every proxy.
 */
export function isSecure(request: CarillonRequest, publicUrl: string | undefined): boolean {
  const { origin } = request.headers;
  if (origin !== undefined) return origin.startsWith('https:');
  return request.protocol === 'https' || (publicUrl?.startsWith('https:') ?? false);
}

/** Like `isSecure`, but false at another address than the public URL: on loopback, people may use http beside it. */
function isKnownToBeSecure(request: CarillonRequest, publicUrl: string | undefined): boolean {
  const isAtPublicUrl = publicUrl !== undefined && new URL(publicUrl).host === request.host;
  return isSecure(request, isAtPublicUrl ? publicUrl : undefined);
}

/**
 * Throws `forbidden` for a request of a page of another origin. Requests without an origin come from no page, or are
 * reads of a page of this origin.
 */
export function checkOrigin(request: CarillonRequest, publicUrl: string | undefined): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  const own = publicUrl === undefined ? undefined : new URL(publicUrl).origin;
  if (origin === own || /^https?:\/\/(.+)$/.exec(origin)?.[1] === request.host) return;
  throw new DomainError('forbidden', `Pages of the origin ${JSON.stringify(origin)} cannot use the console.`);
}
