// Codes: https://www.twilio.com/docs/api/errors. The vendor's library builds the requests and checks the signatures of
// receipts. The requests go through our HTTP client, because the library's own cannot be aborted and checks no address:
// docs/adr/0011.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Twilio } from 'twilio';
import type RequestClient from 'twilio/lib/base/RequestClient.js';
import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import {
  defineProvider,
  endpoint,
  parseReference,
  type Receipt,
  type ReceiptCall,
  ReceiptRefused,
  referenceOf,
  secret,
} from '../define-provider.js';
import {
  codesFor,
  kindOfStatus,
  refusalOf,
  unreadableResponse,
  type VendorHttp,
  type VendorResponse,
} from '../http/vendor-http.js';

/**
 * A callback has about 20 fields and 1 kB. The library hashes a call with a wrong signature six times: 0.7 s for 50,000
 * fields.
 */
const MAX_CALLBACK_FIELDS = 200;
const MAX_CALLBACK_CHARACTERS = 64 * 1024;
const MAX_IN_FLIGHT = 100;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  20429: 'throttled',
  14107: 'throttled',
  ...codesFor('misconfigured', 20003, 20005, 20404, 21606, 21659, 21660, 21703, 30002, 30034),
  ...codesFor('bad_address', 21211, 21214, 21217, 21612, 21614, 30004, 30005, 30006, 21610),
  ...codesFor('rejected', 21408, 21602, 21605, 21617, 30007),
  ...codesFor('transient', 30001, 30003, 30008),
};
/** The recipient has replied STOP. */
const OPTED_OUT = '21610';

const credentials = z
  .strictObject({
    account_sid: z
      .string()
      .regex(/^AC[0-9a-f]{32}$/, 'must be AC and 32 hexadecimal digits')
      .meta({ description: 'The account, from the console' }),
    auth_token: secret('The auth token, with which Twilio also signs its status callbacks'),
    api_key_sid: z
      .string()
      .regex(/^SK[0-9a-f]{32}$/, 'must be SK and 32 hexadecimal digits')
      .optional()
      .meta({ description: 'An API key to send with instead of the token' }),
    api_key_secret: secret('The secret of the API key').optional(),
    from: z.string().min(3).max(16).optional().meta({ description: 'A number in E.164, or a sender name' }),
    messaging_service_sid: z
      .string()
      .regex(/^MG[0-9a-f]{32}$/, 'must be MG and 32 hexadecimal digits')
      .optional(),
    endpoint,
  })
  .refine((account) => (account.from === undefined) !== (account.messaging_service_sid === undefined), {
    message: 'one of from and messaging_service_sid is needed',
    path: ['from'],
  })
  .refine((account) => (account.api_key_sid === undefined) === (account.api_key_secret === undefined), {
    message: 'api_key_sid and api_key_secret belong together',
    path: ['api_key_secret'],
  });

export const twilio = defineProvider({
  id: 'twilio',
  name: 'Twilio',
  channels: ['sms'],
  senderChoice: 'none',
  credentials,
  connect: (account, { http, receiptsUrl }) => {
    const signals = new AsyncLocalStorage<AbortSignal>();
    let opened: Promise<Twilio> | undefined;
    const call = async <T>(signal: AbortSignal, method: (client: Twilio) => Promise<T>): Promise<T> => {
      opened ??= open(account, httpClientOf(http, signals));
      const client = await opened;
      return await signals.run(signal, () => method(client));
    };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const { sid } = await call(signal, (client) =>
          client.messages.create({
            to: message.to!,
            body: String(message.content['text']),
            ...(account.messaging_service_sid
              ? { messagingServiceSid: account.messaging_service_sid }
              : { from: account.from! }),
            ...(receiptsUrl && { statusCallback: `${receiptsUrl}?reference=${referenceOf(message)}` }),
          }),
        );
        return { messageId: sid };
      },
      async verify({ signal }) {
        await call(signal, (client) => client.api.v2010.accounts(account.account_sid).fetch());
      },
    };
  },
  async parseReceipts(call, account) {
    const fields = new URLSearchParams(call.body);
    await checkSignature(call, fields, account.auth_token);
    const reference = parseReference(new URL(call.url).searchParams.get('reference'));
    const code = fields.get('ErrorCode');
    if (!reference) return [];
    switch (fields.get('MessageStatus')) {
      case 'delivered':
        return [{ ...reference, kind: 'delivered', detail: null }];
      case 'undelivered':
      case 'failed':
        return [{ ...reference, kind: 'bounced', detail: code, suppress: suppressionOf(code) }];
      default:
        return [];
    }
  },
});

/** Loads the library when an account is first used, because it takes 34 MB and about 300 ms. */
async function open(account: z.infer<typeof credentials>, httpClient: RequestClient): Promise<Twilio> {
  const { default: library } = await import('twilio');
  const user = account.api_key_sid ?? account.account_sid;
  const client = new library.Twilio(user, account.api_key_secret ?? account.auth_token, {
    accountSid: account.account_sid,
    httpClient,
    // Not undefined: the library would read TWILIO_EDGE, TWILIO_REGION and TWILIO_LOG_LEVEL from the environment.
    edge: '',
    region: '',
    logLevel: '',
  });
  // The library would reduce a host name of more than five labels to the form <product>.<edge>.<region>.<domain>.
  client.getHostname = (hostname) => hostname;
  if (account.endpoint) client.api.baseUrl = account.endpoint;
  return client;
}

/**
 * The part of the library's HTTP client that its resources use. The library calls it once for each method, and passes
 * errors on.
 */
function httpClientOf(http: VendorHttp, signals: AsyncLocalStorage<AbortSignal>): RequestClient {
  const client: Pick<RequestClient, 'request'> = {
    async request<T>({ method, uri, username, password, headers, data }: RequestClient.RequestOptions<T>) {
      const response = await http.request({
        method: method === 'get' ? 'GET' : 'POST',
        url: uri,
        headers: {
          accept: 'application/json',
          'user-agent': headers?.['User-Agent'] ?? 'Carillon',
          authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
        },
        ...(data && { body: new URLSearchParams(data as Record<string, string>) }),
        signal: signals.getStore()!,
      });
      if (!response.ok) throw toError(response);
      if (typeof response.json['sid'] !== 'string' && data) throw unreadableResponse(response);
      return { statusCode: response.status, body: response.json as T, headers: {} };
    },
  };
  return client as RequestClient;
}

async function checkSignature(call: ReceiptCall, fields: URLSearchParams, token: string): Promise<void> {
  if (call.body.length > MAX_CALLBACK_CHARACTERS || fields.size > MAX_CALLBACK_FIELDS)
    throw new ReceiptRefused('The call is larger than a status callback');
  // This file alone takes 4 MB of the API process, the whole library 34 MB.
  const { validateRequest } = await import('twilio/lib/webhooks/webhooks.js');
  const byName = Map.groupBy(fields, ([name]) => name);
  const values = Object.fromEntries([...byName].map(([name, pairs]) => [name, pairs.map(([, value]) => value)]));
  if (!validateRequest(token, call.headers['x-twilio-signature'] ?? '', call.url, values))
    throw new ReceiptRefused('The signature does not match this account');
}

function suppressionOf(code: string | null): Receipt['suppress'] {
  if (code === OPTED_OUT) return 'unsubscribed';
  return code !== null && codes[code] === 'bad_address' ? 'bad_address' : undefined;
}

function toError(response: VendorResponse): Error {
  const code = response.json['code'] === undefined ? null : String(response.json['code']);
  return refusalOf(response, {
    kind: (code !== null && codes[code]) || (response.status === 404 ? 'misconfigured' : kindOfStatus(response.status)),
    code,
    message: response.json['message'] as string | undefined,
    optedOut: code === OPTED_OUT,
  });
}
