// Codes: https://resend.com/docs/api-reference/errors. Receipts: https://resend.com/docs/webhooks/introduction (signed by Svix, whose
// scheme is that of Standard Webhooks under other header names).

import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, type ReceiptEvent, receiptsOf, referenceOf, secret } from '../define-provider.js';
import { verifyStandardWebhook } from '../http/signatures.js';
import { kindOfStatus, refused, unreadable, type VendorAnswer } from '../http/vendor-http.js';
import { emailOf, sender } from './email.js';

const MAX_IN_FLIGHT = 50;
/** Two requests a second for each team unless the vendor was asked for more. */
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
  pacePerSecond: PACE,
  credentials: z.strictObject({
    api_key: secret('An API key with sending access (re_…)'),
    from: sender,
    webhook_secret: secret('The signing secret of the webhook (whsec_…), to learn what became of a mail').optional(),
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = account.endpoint ?? 'https://api.resend.com';
    const headers = { authorization: `Bearer ${account.api_key}` };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal, idempotencyKey }) {
        const mail = emailOf(message, account.from);
        const answer = await http.ask({
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
        if (!answer.ok) throw toError(answer);
        if (typeof answer.json['id'] !== 'string') throw unreadable(answer);
        return { messageId: answer.json['id'] };
      },
      async verify({ signal }) {
        // A key that may only send is refused here by a name of its own, which proves that it is one.
        const answer = await http.ask({ method: 'GET', url: `${api}/domains`, headers, signal });
        if (!answer.ok && answer.json['name'] !== 'restricted_api_key') throw toError(answer);
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

function toError(answer: VendorAnswer): Error {
  const { name, message } = answer.json as { name?: string; message?: string };
  return refused(answer, { kind: (name && codes[name]) || kindOfStatus(answer.status), code: name, message });
}
