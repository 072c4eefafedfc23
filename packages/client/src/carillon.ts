import { type Each, eachOf } from './each.js';
import { type Client, createClient, createConfig } from './generated/client/index.js';
import { Api } from './generated/sdk.gen.js';
import { isRepeatable, type RetrySettings, retryingFetch } from './retrying-fetch.js';

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
  const { url, apiKey, operatorToken, recipientToken } = options;
  const client = createClient(
    createConfig({
      baseUrl: url.replace(/\/+$/, ''),
      fetch: retryingFetch(options) as typeof fetch,
      throwOnError: true,
      // Only uploads have a body that is no object.
      bodySerializer: (body) => (typeof body === 'string' || body instanceof Blob ? body : JSON.stringify(body)),
      auth: ({ name, scheme }) =>
        scheme === 'bearer' ? recipientToken : name === 'X-Admin-Token' ? operatorToken : apiKey,
    }),
  );
  client.interceptors.request.use((request, { body }) => {
    if (needsIdempotencyKey(request, body)) request.headers.set('Idempotency-Key', crypto.randomUUID());
    return request;
  });
  return client;
}

/** The header would replace a key in the body. The key is the same for all attempts of a call. */
function needsIdempotencyKey(request: Request, body: unknown): boolean {
  if (request.method !== 'POST' || !isRepeatable(request) || request.headers.has('Idempotency-Key')) return false;
  return typeof body !== 'object' || body === null || !('idempotency_key' in body);
}
