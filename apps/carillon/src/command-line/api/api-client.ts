import { setTimeout as delay } from 'node:timers/promises';
import { CommandError, exitCodes } from '../exit-codes.js';
import { MAX_OUTAGE_MS, Retries } from './retries.js';

const TIMEOUT_MS = 30_000;

interface Problem {
  title?: string;
  status?: number;
  code?: string;
  detail?: string;
  errors?: { pointer: string; code: string; message: string }[];
  request_id?: string;
}

export interface RequestOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  /** May be sent again if it is not known whether it was done. It then waits longer for the server. */
  isRepeatable?: boolean;
  /** Gets the headers of a success. */
  onHeaders?: (headers: Headers) => void;
}

interface Answer {
  response: Response;
  text: string;
}

interface Unreachable {
  response: null;
  error: CommandError;
}

/** Requests to a running Carillon. Throws CommandError: refused, or unavailable. */
export class ApiClient {
  private readonly origin: string;
  private hasSucceeded = false;

  constructor(
    url: string,
    private readonly credentials: Record<string, string>,
    private readonly maxOutageMs = MAX_OUTAGE_MS,
  ) {
    this.origin = url.replace(/\/+$/, '');
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const { isRepeatable = false } = options;
    const retries = new Retries({ method, isRepeatable, maxOutageMs: this.maxOutageMs });
    for (;;) {
      const answer = await this.fetch(method, path, options);
      const { response } = answer;
      if (response?.ok) {
        options.onHeaders?.(response.headers);
        const value = parsed(answer.text, this.origin) as T;
        this.hasSucceeded = true;
        return value;
      }
      const retryAfter = response?.headers.get('retry-after') ?? null;
      const pauseMs = retries.pauseMs(response?.status ?? null, retryAfter, this.hasSucceeded);
      if (pauseMs === null) throw response ? refusal(response.status, answer.text, `${method} ${path}`) : answer.error;
      await delay(pauseMs);
    }
  }

  /** All items of a list, page after page, at most `limit`. */
  async *list<T>(path: string, query: RequestOptions['query'], limit = Number.POSITIVE_INFINITY): AsyncGenerator<T> {
    let left = limit;
    for (let cursor: string | undefined; left > 0; ) {
      const page: { data: T[]; next_cursor: string | null } = await this.request('GET', path, {
        query: { ...query, limit: Math.min(100, left), ...(cursor !== undefined && { cursor }) },
      });
      yield* page.data;
      left -= page.data.length;
      if (page.next_cursor === null) return;
      cursor = page.next_cursor;
    }
  }

  private async fetch(
    method: string,
    path: string,
    { query = {}, body, headers }: RequestOptions,
  ): Promise<Answer | Unreachable> {
    const url = new URL(this.origin + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    try {
      const response = await fetch(url, {
        method,
        // A redirect would carry the credentials elsewhere.
        redirect: 'error',
        headers: { ...this.credentials, ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      // An answer that breaks off is none.
      return { response, text: await response.text() };
    } catch (error) {
      const { cause, message, name } = error as Error & { cause?: Error & { code?: string } };
      const why = name === 'TimeoutError' ? `no answer within ${TIMEOUT_MS / 1_000} s` : (cause?.code ?? message);
      const unreachable = new CommandError(
        `Carillon cannot be reached at ${this.origin}: ${why}. Is it running, and is the address right?`,
        exitCodes.unavailable,
        { code: 'unreachable', url: this.origin },
      );
      return { response: null, error: unreachable };
    }
  }
}

function parsed(text: string, origin: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new CommandError(`${origin} does not answer like Carillon: the answer is not JSON.`, exitCodes.unavailable, {
      code: 'unreachable',
      url: origin,
    });
  }
}

/** The problem's detail, then a line for each error that the detail does not have: that of a single error has it. */
function refusal(status: number, text: string, request: string): CommandError {
  const problem = problemOf(text);
  const fields = (problem.errors ?? [])
    .filter(({ message }) => !problem.detail?.includes(message))
    .map(({ pointer, message }) => `  ${pointer}: ${message}`);
  const id = problem.request_id === undefined ? '' : ` (request ${problem.request_id})`;
  const head = `${problem.title ?? `${request} was answered with ${status}`}: ${problem.detail ?? text.slice(0, 200)}`;
  const exitCode = status >= 500 ? exitCodes.unavailable : exitCodes.refused;
  const { code = 'http_error', title, detail, errors, request_id: requestId } = problem;
  return new CommandError([`${head}${id}`, ...fields].join('\n'), exitCode, {
    code,
    status,
    title,
    detail,
    errors,
    request_id: requestId,
  });
}

function problemOf(text: string): Problem {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return {};
  }
}
