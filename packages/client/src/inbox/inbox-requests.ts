import { apiUrlOf } from '../api-url.js';
import { CarillonError, errorOfAnswer, RETRIED_STATUSES } from '../carillon-error.js';
import { refuseRedirect } from '../redirects.js';
import { backoffMs, delay } from './backoff.js';
import { RecipientToken, type TokenSource } from './recipient-token.js';

export interface InboxSettings {
  /** Of the API, such as `https://carillon.example.com`. */
  url: string;
  /** A recipient token, or a function that gets one. The function is called again when a token has expired. */
  token: TokenSource;
  /** For one attempt. Default: 10,000. */
  timeoutMs?: number;
  /** Attempts after the first one. Default: 4. */
  maxRetries?: number;
  /**
   * A stream without a frame for this long connects again: a dead connection may send no close event. The server sends
   * a heartbeat every 25 s. Default: 60,000.
   */
  silenceMs?: number;
}

interface RequestOptions {
  body?: unknown;
  /** Default: that of the settings. */
  maxRetries?: number;
}

/** Requests to the routes that take a recipient token. All of them can be repeated. */
export class InboxRequests {
  readonly token: RecipientToken;
  readonly silenceMs: number;
  private readonly base: string;
  private readonly timeoutMs: number;
  private readonly maxRetries: number;

  constructor({ url, token, timeoutMs = 10_000, maxRetries = 4, silenceMs = 60_000 }: InboxSettings) {
    if (!token) throw new TypeError('token is missing: a recipient token, or a function that gets one.');
    this.token = new RecipientToken(token);
    this.base = `${apiUrlOf(url)}/api/v1`;
    this.timeoutMs = timeoutMs;
    this.maxRetries = maxRetries;
    this.silenceMs = silenceMs;
  }

  /** The address of the stream. */
  streamUrl(since: number | undefined): string {
    return `${this.base.replace(/^http/, 'ws')}/inbox/stream${since === undefined ? '' : `?since=${since}`}`;
  }

  /** Returns the parsed answer; undefined for 204. */
  async send(method: 'GET' | 'POST' | 'PUT', path: string, options: RequestOptions = {}): Promise<unknown> {
    const { body, maxRetries = this.maxRetries } = options;
    let renewed = false;
    for (let attempt = 0; ; attempt += 1) {
      const token = await this.token.get();
      try {
        return await this.attempt(path, token, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
      } catch (error) {
        if (!(error instanceof CarillonError)) throw error;
        if (error.status === 401 && this.token.isRenewable && !renewed) {
          renewed = true;
          await this.token.drop(token);
          continue;
        }
        const isRetried =
          error.status === undefined ? error.code !== 'unexpected_answer' : RETRIED_STATUSES.has(error.status);
        if (!isRetried || attempt >= maxRetries) throw error;
        await delay(error.retryAfterSeconds === undefined ? backoffMs(attempt) : error.retryAfterSeconds * 1_000);
      }
    }
  }

  private async attempt(path: string, token: string, init: { method: string; body?: string }): Promise<unknown> {
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(init.body !== undefined && { 'Content-Type': 'application/json' }),
    };
    const signal = AbortSignal.timeout(this.timeoutMs);
    let response: Response;
    let text: string;
    try {
      // `keepalive`: a change is sent although the reader leaves the page, as with the link of an item.
      const keepalive = init.method !== 'GET';
      response = await fetch(this.base + path, { ...init, headers, signal, keepalive, redirect: 'manual' });
      refuseRedirect(response, this.base);
      text = await response.text();
    } catch (cause) {
      if (cause instanceof CarillonError) throw cause;
      const detail = `${init.method} ${this.base}${path}`;
      throw new CarillonError({ code: signal.aborted ? 'timeout' : 'network_error', detail, cause });
    }
    const data = parsed(text);
    if (!response.ok) throw errorOfAnswer(response, data);
    return data;
  }
}

/** The text itself if it is not JSON. */
function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
