// One request to a vendor: one connection, one try, a deadline, and an answer that is read only so far.

import { isIP } from 'node:net';
import type { Agent } from 'undici';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { type EgressGuard, EgressRefused } from './egress-guard.js';

const CONNECT_MS = 5_000;
const IDLE_MS = 4_000;
/** More of an answer than this is not read (security.md). */
const MAX_ANSWER_BYTES = 20 * 1024;
const NOT_CONNECTED = Symbol('not connected');

export interface VendorRequest {
  method?: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string>;
  /** A text or bytes as they are; URLSearchParams as a form; anything else as JSON. */
  body?: string | Buffer | URLSearchParams | object;
  signal: AbortSignal;
}

export interface VendorAnswer {
  status: number;
  ok: boolean;
  /** The first of each name, in lower case. */
  header(name: string): string | null;
  text: string;
  /** The text as a JSON object, or an empty one where it is none. */
  json: Record<string, unknown>;
}

/**
 * The client of every provider with an HTTP API. Does not retry, follows no redirect, uses no proxy, reuses connections, and goes
 * only where the guard lets it.
 */
export class VendorHttp {
  private opened: Promise<{ undici: typeof import('undici'); agent: Agent }> | undefined;

  constructor(private readonly guard: EgressGuard) {}

  /**
   * Sends one request and reads its answer, whatever its status. Throws ProviderError: `misconfigured` where the guard
   * refused, `transient` where no connection was made, `unknown` for everything after that.
   */
  async ask({ method = 'POST', url, headers = {}, body, signal }: VendorRequest): Promise<VendorAnswer> {
    if (signal.aborted) throw nothingSentInTime();
    try {
      this.opened ??= open(this.guard);
      const { undici, agent } = await this.opened;
      const answer = await undici.request(url, {
        method,
        dispatcher: agent,
        signal,
        headers: { 'user-agent': 'Carillon', ...typeOf(body), ...headers },
        ...(body !== undefined && { body: bytesOf(body) }),
      });
      const text = await readSome(answer.body);
      return {
        status: answer.statusCode,
        ok: answer.statusCode >= 200 && answer.statusCode < 300,
        header: (name) => {
          const value = answer.headers[name];
          return (Array.isArray(value) ? value[0] : value) ?? null;
        },
        text,
        json: objectOf(text),
      };
    } catch (error) {
      throw toProviderError(error as Error, signal);
    }
  }

  async close(): Promise<void> {
    await (await this.opened)?.agent.destroy();
  }
}

/** The client takes room, and is loaded by the first request. */
async function open(guard: EgressGuard): Promise<{ undici: typeof import('undici'); agent: Agent }> {
  const undici = await import('undici');
  const connectors = new Map(
    [true, false].map((open) => [open, undici.buildConnector({ timeout: CONNECT_MS, lookup: guard.lookup(open) })]),
  );
  const agent = new undici.Agent({
    keepAliveTimeout: IDLE_MS,
    pipelining: 1,
    // The caller's signal is the deadline.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (options, callback) => {
      const open = guard.isOpen(options.protocol, options.port);
      const failed = (error: Error): void => callback(Object.assign(error, { [NOT_CONNECTED]: true }), null);
      try {
        // A host that is an address already is not looked up.
        if (isIP(options.hostname) !== 0) guard.check(options.hostname, open);
      } catch (error) {
        failed(error as Error);
        return;
      }
      connectors.get(open)!(options, (error, socket) => (error ? failed(error) : callback(null, socket)));
    },
  });
  return { undici, agent };
}

/** Waits for something that comes before the message, and no longer than until the deadline. Throws ProviderError, `transient`, then. */
export function beforeDeadline<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(nothingSentInTime());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function nothingSentInTime(): ProviderError {
  return new ProviderError('transient', 'The deadline was over before anything was sent', { code: 'deadline' });
}

/** Codes of a TLS handshake that came to nothing because of the certificate, in Node's and OpenSSL's words: nothing was sent. */
export const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|^ERR_(SSL|TLS)/;

/** The kind of a refusal that the vendor's own codes do not tell better. */
export function kindOfStatus(status: number): ProviderErrorKind {
  if (status === 401 || status === 402 || status === 403) return 'misconfigured';
  if (status === 429) return 'throttled';
  if (status === 408 || status === 425 || status >= 500) return 'transient';
  return 'rejected';
}

/** A part of a vendor's table of codes: these all mean the same. */
export function allAre(kind: ProviderErrorKind, ...codes: (string | number)[]): Record<string, ProviderErrorKind> {
  return Object.fromEntries(codes.map((code) => [code, kind]));
}

export interface Refusal {
  kind: ProviderErrorKind;
  /** The vendor's own code; the status where it gives none. */
  code?: string | null | undefined;
  message?: string | undefined;
  /** Where the vendor says it elsewhere than in Retry-After. */
  retryAfterSeconds?: number | null | undefined;
  optedOut?: boolean | undefined;
}

const LONGEST_MESSAGE = 500;

/** The error of an answer that refuses, with the wait that it asks for. */
export function refused(
  answer: VendorAnswer,
  { kind, code, message, retryAfterSeconds, optedOut }: Refusal,
): ProviderError {
  return new ProviderError(kind, (message || `HTTP ${answer.status}`).slice(0, LONGEST_MESSAGE), {
    code: code || String(answer.status),
    retryAfterSeconds: retryAfterSeconds ?? retryAfterOf(answer),
    ...(optedOut && { optedOut }),
  });
}

/** A 2xx without what it must hold: the vendor may have taken the message. */
export function unreadable(answer: VendorAnswer): ProviderError {
  return new ProviderError('unknown', `HTTP ${answer.status} with an answer that says nothing`, {
    code: 'unreadable_answer',
  });
}

/** Retry-After in seconds, from a number of them or a date (RFC 9110, section 10.2.3). */
function retryAfterOf(answer: VendorAnswer): number | null {
  const text = answer.header('retry-after');
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
    return new ProviderError('unknown', 'The vendor did not answer before the deadline', { code: 'deadline' });
  return new ProviderError('unknown', `The connection ended without an answer (${code})`, { code });
}

async function readSome(body: AsyncIterable<Buffer> & { destroy(): void }): Promise<string> {
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

function typeOf(body: VendorRequest['body']): Record<string, string> {
  if (body instanceof URLSearchParams) return { 'content-type': 'application/x-www-form-urlencoded' };
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return {};
  return { 'content-type': 'application/json' };
}

function bytesOf(body: NonNullable<VendorRequest['body']>): string | Buffer {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return body;
  return body instanceof URLSearchParams ? body.toString() : JSON.stringify(body);
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
