import { setTimeout as delay } from 'node:timers/promises';
import { CommandError, exitCodes } from '../exit-codes.js';

const TIMEOUT_MS = 30_000;
/** Answers 429 and 503 say when to try again. */
const MAX_TRIES = 6;
const MAX_WAIT_SECONDS = 60;

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
  /** A POST that may be repeated after a 503. */
  isRepeatable?: boolean;
  /** Only for what may be repeated: goes on for so long when no answer comes, and for any time after a 429. */
  retryMs?: number;
  /** Gets the headers of a success. */
  onHeaders?: (headers: Headers) => void;
}

interface Answer {
  response: Response;
  text: string;
}

/** Requests to a running Carillon. Throws CommandError: refused, or unavailable. */
export class ApiClient {
  private readonly origin: string;

  constructor(
    url: string,
    private readonly credentials: Record<string, string>,
  ) {
    this.origin = url.replace(/\/+$/, '');
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const { retryMs } = options;
    const endsAt = performance.now() + (retryMs ?? 0);
    for (let tries = 1; ; tries += 1) {
      const answer = await this.fetch(method, path, options).catch((error: Error) => error);
      if (answer instanceof Error) {
        if (performance.now() >= endsAt) throw answer;
        await delay(pauseMs(tries));
        continue;
      }
      const { response, text } = answer;
      if (response.ok) {
        options.onHeaders?.(response.headers);
        return parsed(text, this.origin) as T;
      }
      const { status } = response;
      const waitSeconds = Number(response.headers.get('retry-after') ?? '1');
      // A 429 has done nothing, whatever the method; a 503 of a POST may have. The other methods may be repeated.
      const repeatable =
        status === 429 ||
        (status === 503 && (method !== 'POST' || options.isRepeatable)) ||
        ((status === 502 || status === 504) && retryMs !== undefined);
      const isLast = retryMs === undefined ? tries === MAX_TRIES : status !== 429 && performance.now() >= endsAt;
      if (!repeatable || isLast || !(waitSeconds <= MAX_WAIT_SECONDS)) throw refusal(status, text, `${method} ${path}`);
      await delay(status === 429 ? waitSeconds * 1_000 : Math.max(waitSeconds * 1_000, retryMs ? pauseMs(tries) : 0));
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

  private async fetch(method: string, path: string, { query = {}, body, headers }: RequestOptions): Promise<Answer> {
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
      throw new CommandError(
        `Carillon cannot be reached at ${this.origin}: ${why}. Is it running, and is the address right?`,
        exitCodes.unavailable,
        { code: 'unreachable', url: this.origin },
      );
    }
  }
}

/** 1, 2, 4 … 30 seconds. */
const pauseMs = (tries: number): number => Math.min(2 ** (tries - 1), 30) * 1_000;

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

/** The problem's detail, then a line for each field. */
function refusal(status: number, text: string, request: string): CommandError {
  const problem = problemOf(text);
  const fields = (problem.errors ?? []).map(({ pointer, message }) => `  ${pointer}: ${message}`);
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
