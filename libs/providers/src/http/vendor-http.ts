// The HTTP client for vendors: one request, one try, a deadline, and a limit on the size of the response.

import { isIP } from 'node:net';
import type { Agent } from 'undici';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { type EgressGuard, EgressRefused } from './egress-guard.js';

const CONNECT_MS = 5_000;
const IDLE_MS = 4_000;
/** The rest of a longer response is not read, so that a vendor cannot fill the memory. */
const MAX_ANSWER_BYTES = 20 * 1024;
const NOT_CONNECTED = Symbol('not connected');

export interface VendorRequest {
  method?: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string>;
  /** A string or bytes are sent unchanged, URLSearchParams as a form, anything else as JSON. */
  body?: string | Buffer | URLSearchParams | object;
  signal: AbortSignal;
}

export interface VendorResponse {
  status: number;
  ok: boolean;
  /** The first header of this lower-case name. */
  header(name: string): string | null;
  text: string;
  /** The text parsed as a JSON object; an empty object if it is not one. */
  json: Record<string, unknown>;
}

/**
 * Makes the requests of all providers with an HTTP API. It does not retry, follows no redirects, uses no proxy, reuses
 * connections, and connects only to addresses that the guard allows.
 */
export class VendorHttp {
  private opened: Promise<{ undici: typeof import('undici'); agent: Agent }> | undefined;

  constructor(private readonly guard: EgressGuard) {}

  /**
   * Sends one request and returns the response, whatever its status. Throws ProviderError: `misconfigured` if the guard
   * refuses the address, `transient` if no connection was made, `unknown` for any failure after that.
   */
  async request({ method = 'POST', url, headers = {}, body, signal }: VendorRequest): Promise<VendorResponse> {
    if (signal.aborted) throw nothingSentInTime();
    try {
      this.opened ??= open(this.guard);
      const { undici, agent } = await this.opened;
      const response = await undici.request(url, {
        method,
        dispatcher: agent,
        signal,
        headers: { 'user-agent': 'Carillon', ...contentTypeOf(body), ...headers },
        ...(body !== undefined && { body: encode(body) }),
      });
      const text = await readLimited(response.body);
      return {
        status: response.statusCode,
        ok: response.statusCode >= 200 && response.statusCode < 300,
        header: (name) => {
          const value = response.headers[name];
          return (Array.isArray(value) ? value[0] : value) ?? null;
        },
        text,
        json: parseObject(text),
      };
    } catch (error) {
      throw toProviderError(error as Error, signal);
    }
  }

  async close(): Promise<void> {
    await (await this.opened)?.agent.destroy();
  }
}

/** Loads undici with the first request, because it takes memory that the API process mostly does not need. */
async function open(guard: EgressGuard): Promise<{ undici: typeof import('undici'); agent: Agent }> {
  const undici = await import('undici');
  const connectors = new Map(
    [true, false].map((publicAllowed) => [
      publicAllowed,
      undici.buildConnector({ timeout: CONNECT_MS, lookup: guard.lookup(publicAllowed) }),
    ]),
  );
  const agent = new undici.Agent({
    keepAliveTimeout: IDLE_MS,
    pipelining: 1,
    // The caller's signal is the only deadline.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (options, callback) => {
      const publicAllowed = guard.allowsPublic(options.protocol, options.port);
      const failed = (error: Error): void => callback(Object.assign(error, { [NOT_CONNECTED]: true }), null);
      try {
        // The lookup is not called for a host that is an IP address.
        if (isIP(options.hostname) !== 0) guard.check(options.hostname, publicAllowed);
      } catch (error) {
        failed(error as Error);
        return;
      }
      connectors.get(publicAllowed)!(options, (error, socket) => (error ? failed(error) : callback(null, socket)));
    },
  });
  return { undici, agent };
}

/**
 * Waits for work that precedes the message. Throws a `transient` ProviderError at the deadline, because nothing was
 * sent.
 */
export function beforeDeadline<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(nothingSentInTime());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function nothingSentInTime(): ProviderError {
  return new ProviderError('transient', 'The deadline passed before anything was sent', { code: 'deadline' });
}

/** Error codes of Node and OpenSSL for a certificate that was not accepted. Nothing was sent. */
export const UNTRUSTED_CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|^ERR_(SSL|TLS)/;

/** The kind of a refusal, where the vendor has no code for it. */
export function kindOfStatus(status: number): ProviderErrorKind {
  if (status === 401 || status === 402 || status === 403) return 'misconfigured';
  if (status === 429) return 'throttled';
  if (status === 408 || status === 425 || status >= 500) return 'transient';
  return 'rejected';
}

/** Part of a vendor's table of codes: maps all the codes to one kind. */
export function codesFor(kind: ProviderErrorKind, ...codes: (string | number)[]): Record<string, ProviderErrorKind> {
  return Object.fromEntries(codes.map((code) => [code, kind]));
}

export interface Refusal {
  kind: ProviderErrorKind;
  /** The vendor's code. Default: the status. */
  code?: string | null | undefined;
  message?: string | undefined;
  /** For a vendor that does not use the header Retry-After. */
  retryAfterSeconds?: number | null | undefined;
  optedOut?: boolean | undefined;
}

const MAX_MESSAGE = 500;

/** The error for a response that refuses the message. Reads Retry-After. */
export function refusalOf(
  response: VendorResponse,
  { kind, code, message, retryAfterSeconds, optedOut }: Refusal,
): ProviderError {
  return new ProviderError(kind, (message || `HTTP ${response.status}`).slice(0, MAX_MESSAGE), {
    code: code || String(response.status),
    retryAfterSeconds: retryAfterSeconds ?? retryAfterOf(response),
    ...(optedOut && { optedOut }),
  });
}

/** The error for a 2xx response without the message id: the vendor may have accepted the message. */
export function unreadableResponse(response: VendorResponse): ProviderError {
  return new ProviderError('unknown', `HTTP ${response.status} with a response that cannot be read`, {
    code: 'unreadable_answer',
  });
}

/** Retry-After in seconds; the header holds seconds or a date (RFC 9110, section 10.2.3). */
function retryAfterOf(response: VendorResponse): number | null {
  const text = response.header('retry-after');
  if (text === null) return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1_000);
}

function toProviderError(error: Error, signal: AbortSignal): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof EgressRefused)
    return new ProviderError('misconfigured', error.message, { code: 'forbidden_address' });
  const code = (error as { code?: string }).code ?? error.name;
  if (NOT_CONNECTED in error) return new ProviderError('transient', `No connection was made (${code})`, { code });
  if (signal.aborted)
    return new ProviderError('unknown', 'The vendor did not respond before the deadline', { code: 'deadline' });
  return new ProviderError('unknown', `The connection ended without a response (${code})`, { code });
}

async function readLimited(body: AsyncIterable<Buffer> & { destroy(): void }): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_ANSWER_BYTES) {
      body.destroy();
      break;
    }
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString();
}

function contentTypeOf(body: VendorRequest['body']): Record<string, string> {
  if (body instanceof URLSearchParams) return { 'content-type': 'application/x-www-form-urlencoded' };
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return {};
  return { 'content-type': 'application/json' };
}

function encode(body: NonNullable<VendorRequest['body']>): string | Buffer {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body;
  return body instanceof URLSearchParams ? body.toString() : JSON.stringify(body);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
