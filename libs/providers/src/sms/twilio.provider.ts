// Codes: https://www.twilio.com/docs/api/errors. Plain HTTP and not the vendor's SDK, which cannot be aborted: docs/adr/0011.

import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import {
  defineProvider,
  endpoint,
  parseReference,
  type Receipt,
  ReceiptRefused,
  referenceOf,
  secret,
} from '../define-provider.js';
import { same } from '../http/signatures.js';
import { allAre, kindOfStatus, refused, unreadable, type VendorAnswer } from '../http/vendor-http.js';

const MAX_IN_FLIGHT = 100;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  20429: 'throttled',
  14107: 'throttled',
  ...allAre('misconfigured', 20003, 20005, 20404, 21606, 21659, 21660, 21703, 30002, 30034),
  ...allAre('bad_address', 21211, 21214, 21217, 21612, 21614, 30004, 30005, 30006, 21610),
  ...allAre('rejected', 21408, 21602, 21605, 21617, 30007),
  ...allAre('transient', 30001, 30003, 30008),
};
/** The person has answered STOP. */
const OPTED_OUT = '21610';

const credentials = z
  .strictObject({
    account_sid: z
      .string()
      .regex(/^AC[0-9a-f]{32}$/, 'must be AC and 32 hexadecimal digits')
      .meta({ description: 'The account, from the console' }),
    auth_token: secret('The auth token: it also signs what Twilio reports back'),
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
  credentials,
  connect: (account, { http, receiptsUrl }) => {
    const base = `${account.endpoint ?? 'https://api.twilio.com'}/2010-04-01/Accounts/${account.account_sid}`;
    const user = account.api_key_sid ?? account.account_sid;
    const password = account.api_key_secret ?? account.auth_token;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const body = new URLSearchParams({ To: message.to!, Body: String(message.content['text']) });
        if (account.messaging_service_sid) body.set('MessagingServiceSid', account.messaging_service_sid);
        else body.set('From', account.from!);
        if (receiptsUrl) body.set('StatusCallback', `${receiptsUrl}?reference=${referenceOf(message)}`);
        const answer = await http.ask({ url: `${base}/Messages.json`, headers: { authorization }, body, signal });
        if (!answer.ok) throw toError(answer);
        if (typeof answer.json['sid'] !== 'string') throw unreadable(answer);
        return { messageId: answer.json['sid'] };
      },
      async verify({ signal }) {
        const answer = await http.ask({ method: 'GET', url: `${base}.json`, headers: { authorization }, signal });
        if (!answer.ok) throw toError(answer);
      },
    };
  },
  async parseReceipts(call, account) {
    const fields = new URLSearchParams(call.body);
    checkSignature(call.url, fields, call.headers['x-twilio-signature'], account.auth_token);
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

/** HMAC-SHA1 over the URL and the fields in order, each name followed by its value (twilio.com/docs/usage/security). */
function checkSignature(url: string, fields: URLSearchParams, given: string | undefined, token: string): void {
  const signed = [...new Set(fields.keys())]
    .sort()
    .reduce((text, name) => text + name + fields.getAll(name).join(''), url);
  if (!same(given ?? '', createHmac('sha1', token).update(signed).digest('base64')))
    throw new ReceiptRefused('The signature is not that of this account');
}

function suppressionOf(code: string | null): Receipt['suppress'] {
  if (code === OPTED_OUT) return 'unsubscribed';
  return code !== null && codes[code] === 'bad_address' ? 'bad_address' : undefined;
}

function toError(answer: VendorAnswer): Error {
  const code = answer.json['code'] === undefined ? null : String(answer.json['code']);
  return refused(answer, {
    kind: (code !== null && codes[code]) || (answer.status === 404 ? 'misconfigured' : kindOfStatus(answer.status)),
    code,
    message: answer.json['message'] as string | undefined,
    optedOut: code === OPTED_OUT,
  });
}
