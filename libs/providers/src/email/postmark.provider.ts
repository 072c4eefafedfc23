// Codes: https://postmarkapp.com/developer/api/overview#error-codes. Postmark does not sign its webhooks: it
// authenticates with the user and password in the webhook's URL
// (https://postmarkapp.com/developer/webhooks/webhooks-overview).

import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import {
  defineProvider,
  endpoint,
  type ReceiptEvent,
  ReceiptRefused,
  receiptsOf,
  referenceOf,
  secret,
} from '../define-provider.js';
import { isSameSecret } from '../http/signatures.js';
import { kindOfStatus, refusalOf, unreadableResponse, type VendorResponse } from '../http/vendor-http.js';
import { emailOf, fromOfContent, sender } from './email.js';

const MAX_IN_FLIGHT = 50;

const codes: Readonly<Record<number, ProviderErrorKind>> = {
  10: 'misconfigured',
  100: 'transient',
  300: 'rejected',
  400: 'misconfigured',
  401: 'misconfigured',
  402: 'rejected',
  403: 'rejected',
  405: 'misconfigured',
  406: 'bad_address',
  412: 'misconfigured',
  413: 'misconfigured',
  429: 'throttled',
  701: 'rejected',
  1235: 'misconfigured',
};

export const postmark = defineProvider({
  id: 'postmark',
  name: 'Postmark',
  channels: ['email'],
  senderChoice: fromOfContent,
  credentials: z.strictObject({
    server_token: secret('The API token of the server'),
    from: sender,
    message_stream: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .meta({ description: 'The message stream. Default: that of the server' }),
    webhook_password: secret('The password in the URL of the webhook (https://carillon:PASSWORD@…)').optional(),
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = account.endpoint ?? 'https://api.postmarkapp.com';
    const headers = { 'x-postmark-server-token': account.server_token, accept: 'application/json' };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const mail = emailOf(message, account.from);
        const response = await http.request({
          url: `${api}/email`,
          signal,
          headers,
          body: {
            From: mail.from,
            To: mail.to,
            Subject: mail.subject,
            TextBody: mail.text,
            ...(mail.html !== undefined && { HtmlBody: mail.html }),
            ...(mail.replyTo && { ReplyTo: mail.replyTo }),
            Headers: Object.entries(mail.headers).map(([Name, Value]) => ({ Name, Value })),
            Metadata: { carillon: referenceOf(message) },
            ...(account.message_stream && { MessageStream: account.message_stream }),
          },
        });
        if (!response.ok || (response.json['ErrorCode'] ?? 0) !== 0) throw toError(response);
        if (typeof response.json['MessageID'] !== 'string') throw unreadableResponse(response);
        return { messageId: response.json['MessageID'] };
      },
      async verify({ signal }) {
        const response = await http.request({ method: 'GET', url: `${api}/server`, headers, signal });
        if (!response.ok) throw toError(response);
      },
    };
  },
  async parseReceipts(call, account) {
    const given = Buffer.from(
      /^Basic (.+)$/i.exec(call.headers['authorization'] ?? '')?.[1] ?? '',
      'base64',
    ).toString();
    const password = given.slice(given.indexOf(':') + 1);
    if (!account.webhook_password || !isSameSecret(password, account.webhook_password))
      throw new ReceiptRefused('The password does not match this account');
    const record = JSON.parse(call.body) as PostmarkRecord;
    return receiptsOf(record.Metadata?.['carillon'], receiptEventOf(record));
  },
});

interface PostmarkRecord {
  RecordType?: string;
  Type?: string;
  Description?: string;
  Metadata?: Record<string, string>;
}

/** Bounces after which the address is suppressed: https://postmarkapp.com/developer/api/bounce-api#bounce-types. */
const PERMANENT = new Set(['HardBounce', 'BadEmailAddress', 'ManuallyDeactivated']);
/** Bounces after which Postmark may still deliver, and events that are no bounces. */
const NOT_FINAL = new Set([
  'Transient',
  'SoftBounce',
  'DnsError',
  'AutoResponder',
  'Subscribe',
  'AddressChange',
  'ChallengeVerification',
  'VirusNotification',
  'OpenRelayTest',
]);

function receiptEventOf(record: PostmarkRecord): ReceiptEvent | null {
  switch (record.RecordType) {
    case 'Delivery':
      return { kind: 'delivered', detail: null };
    case 'Open':
      return { kind: 'opened', detail: null };
    case 'SpamComplaint':
      return { kind: 'complained', detail: null, suppress: 'complained' };
    case 'Bounce':
      if (NOT_FINAL.has(record.Type ?? '')) return null;
      return {
        kind: 'bounced',
        detail: record.Description ?? record.Type ?? null,
        suppress: PERMANENT.has(record.Type ?? '') ? 'bounced' : undefined,
      };
    default:
      return null;
  }
}

function toError(response: VendorResponse): Error {
  const { ErrorCode: code, Message: message } = response.json as { ErrorCode?: number; Message?: string };
  // 300 means any invalid field; only the text tells which one.
  const kind =
    code === 300 && /invalid '?to'?/i.test(message ?? '')
      ? 'bad_address'
      : code === undefined
        ? undefined
        : codes[code];
  return refusalOf(response, {
    kind: kind ?? kindOfStatus(response.status),
    code: code === undefined ? null : String(code),
    message,
  });
}
