// Signs in to the console as a browser does, and calls the API with the cookie.

import { createHash } from 'node:crypto';
import { type Answer, http, type Json } from '../test-environment.js';

export interface Console {
  /** `carillon_console=…` */
  cookie: string;
  /** As the database has it. */
  tokenHash: string;
  /** The answer of the sign-in. */
  body: Json;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export async function signIn(url: string, credential: Record<string, string>): Promise<Console> {
  const { status, headers, body } = await http(url, 'POST', '/console/session', { body: credential });
  if (status !== 201) throw new Error(`no session: ${status} ${JSON.stringify(body)}`);
  return { ...callerWith(url, headers.get('set-cookie')!.split(';')[0]!), body };
}

export function callerWith(url: string, cookie: string): Omit<Console, 'body'> {
  return {
    cookie,
    tokenHash: createHash('sha256').update(cookie.split('=')[1]!).digest('base64url'),
    call: (method, path, body, headers = {}) =>
      http(url, method, path, { body, headers: { Cookie: cookie, 'X-Carillon-Console': '1', ...headers } }),
  };
}
