// Codes: https://resend.com/docs/api-reference/errors. Receipts: https://resend.com/docs/webhooks/introduction (signed
// by Svix: the scheme of Standard Webhooks with other header names).

import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, type ReceiptEvent, receiptsOf, referenceOf, secret } from '../define-provider.js';
import { verifyStandardWebhook } from '../http/signatures.js';
import { kindOfStatus, refusalOf, unreadableResponse, type VendorResponse } from '../http/vendor-http.js';
import { emailOf, fromOfContent, sender } from './email.js';

const MAX_IN_FLIGHT = 50;
/** Two requests a second for each team by default; the vendor raises it on request. */
const PACE = 2;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  missing_api_key: 'misconfigured',
  invalid_api_key: 'misconfigured',
  restricted_api_key: 'misconfigured',
  invalid_from_address: 'misconfigured',
  invalid_access: 'misconfigured',
  not_found: 'misconfigured',
  daily_quota_exceeded: 'misconfigured',
  monthly_quota_exceeded: 'misconfigured',
  rate_limit_exceeded: 'throttled',
  concurrent_idempotent_requests: 'transient',
  invalid_idempotent_request: 'rejected',
  invalid_to_address: 'bad_address',
  security_error: 'rejected',
  application_error: 'transient',
  internal_server_error: 'transient',
};

export const resend = defineProvider({
  id: 'resend',
  name: 'Resend',
  channels: ['email'],
  senderChoice: fromOfContent,
  pacePerSecond: PACE,
  credentials: z.strictObject({
    api_key: secret('An API key with sending access (re_…)'),
    from: sender,
    webhook_secret: secret('The signing secret of the webhook (whsec_…), for receipts').optional(),
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = account.endpoint ?? 'https://api.resend.com';
    const headers = { authorization: `Bearer ${account.api_key}` };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal, idempotencyKey }) {
        const mail = emailOf(message, account.from);
        const response = await http.request({
          url: `${api}/emails`,
          signal,
          headers: { ...headers, 'idempotency-key': idempotencyKey },
          body: {
            from: mail.from,
            to: [mail.to],
            subject: mail.subject,
            text: mail.text,
            ...(mail.html !== undefined && { html: mail.html }),
            ...(mail.replyTo && { reply_to: mail.replyTo }),
            headers: mail.headers,
            tags: [{ name: 'carillon', value: referenceOf(message).replace('.', '_') }],
          },
        });
        if (!response.ok) throw toError(response);
        if (typeof response.json['id'] !== 'string') throw unreadableResponse(response);
        return { messageId: response.json['id'] };
      },
      async verify({ signal }) {
        // A key with sending access only may not list domains. This error still proves that the key is valid.
        const response = await http.request({ method: 'GET', url: `${api}/domains`, headers, signal });
        if (!response.ok && response.json['name'] !== 'restricted_api_key') throw toError(response);
      },
    };
  },
  async parseReceipts(call, account) {
    const event = verifyStandardWebhook(call, account.webhook_secret, 'svix') as ResendEvent;
    return receiptsOf(event.data?.tags?.['carillon']?.replace('_', '.'), receiptEventOf(event));
  },
});

interface ResendEvent {
  type?: string;
  data?: { tags?: Record<string, string>; bounce?: { type?: string; message?: string } };
}

function receiptEventOf({ type, data }: ResendEvent): ReceiptEvent | null {
  switch (type) {
    case 'email.delivered':
      return { kind: 'delivered', detail: null };
    case 'email.opened':
      return { kind: 'opened', detail: null };
    case 'email.complained':
      return { kind: 'complained', detail: null, suppress: 'complained' };
    case 'email.bounced':
      return data?.bounce?.type === 'Transient'
        ? null
        : { kind: 'bounced', detail: data?.bounce?.message ?? null, suppress: 'bounced' };
    default:
      return null;
  }
}

function toError(response: VendorResponse): Error {
  const { name, message } = response.json as { name?: string; message?: string };
  return refusalOf(response, { kind: (name && codes[name]) || kindOfStatus(response.status), code: name, message });
}
