import { apiUrlOf } from './api-url.js';
import { type Each, eachOf } from './each.js';
import { type Client, createClient, createConfig } from './generated/client/index.js';
import { Api } from './generated/sdk.gen.js';
import { IDEMPOTENCY_KEY, type RetrySettings, retryingFetch } from './retrying-fetch.js';

export interface CarillonOptions extends RetrySettings {
  /** Of the API, such as `https://carillon.example.com`. */
  url: string;
  /** `car_live_…` or `car_test_…`: for all routes of a tenant. */
  apiKey?: string;
  /** For the routes of the operator. */
  operatorToken?: string;
  /** For the inbox and the preferences of one recipient. */
  recipientToken?: string;
}

/**
 * All routes of Carillon: `carillon.notifications.send({ body })`, `carillon.recipients.put({ path, body })` and so on.
 * A call returns the body of the answer, or throws `CarillonError`.
 */
export class Carillon extends Api {
  /** The lists as iterators over all their items: `carillon.each.notifications.list()`. */
  readonly each: Each<Api> = eachOf<Api>(this);

  constructor(options: CarillonOptions) {
    super({ client: clientOf(options) });
  }
}

function clientOf(options: CarillonOptions): Client {
  const { url, apiKey, operatorToken, recipientToken, fetch: ownFetch } = options;
  // A `fetch` of the caller may add other credentials, such as a cookie.
  if (!apiKey && !operatorToken && !recipientToken && !ownFetch)
    throw new TypeError('apiKey is missing. Is the environment variable that it is read from set?');
  const client = createClient(
    createConfig({
      baseUrl: apiUrlOf(url),
      fetch: retryingFetch(options) as typeof fetch,
      throwOnError: true,
      // Only uploads have a body that is no object.
      bodySerializer: (body) => (typeof body === 'string' || body instanceof Blob ? body : JSON.stringify(body)),
      auth: ({ name, scheme }) =>
        scheme === 'bearer' ? recipientToken : name === 'X-Admin-Token' ? operatorToken : apiKey,
    }),
  );
  client.interceptors.request.use((request, { url: route, body }) => {
    // The routes of the operator have no idempotency keys.
    if (request.method !== 'POST' || route.startsWith('/internal/')) return request;
    if (request.headers.has(IDEMPOTENCY_KEY)) return request;
    const key = keyIn(body) ?? crypto.randomUUID();
    // A header has no spaces at its ends, so such a key stays in the body only, and the request is sent once.
    if (key.trim() === key) request.headers.set(IDEMPOTENCY_KEY, key);
    return request;
  });
  return client;
}

/** The caller's own key, which the API also accepts in the body of a send. */
function keyIn(body: unknown): string | undefined {
  const key = typeof body === 'object' && body !== null && 'idempotency_key' in body ? body.idempotency_key : undefined;
  return typeof key === 'string' && /^[\x20-\x7e]+$/.test(key) ? key : undefined;
}
