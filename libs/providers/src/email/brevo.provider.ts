// Codes: https://developers.brevo.com/docs/how-it-works#error-codes. Receipts:
// https://developers.brevo.com/docs/transactional-webhooks, with the token of
// https://developers.brevo.com/docs/secured-webhooks.

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
import { emailOf, fromOfContent, partsOf, sender } from './email.js';

const MAX_IN_FLIGHT = 50;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  unauthorized: 'misconfigured',
  permission_denied: 'misconfigured',
  account_under_validation: 'misconfigured',
  not_enough_credits: 'misconfigured',
  too_many_requests: 'throttled',
};

export const brevo = defineProvider({
  id: 'brevo',
  name: 'Brevo',
  channels: ['email'],
  senderChoice: fromOfContent,
  credentials: z.strictObject({
    api_key: secret('From SMTP & API, under API keys (xkeysib-…)'),
    from: sender,
    webhook_token: secret('A token of your choice: the bearer token of the webhook at Brevo').optional(),
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = `${account.endpoint ?? 'https://api.brevo.com'}/v3`;
    const headers = { 'api-key': account.api_key };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const mail = emailOf(message, account.from);
        const response = await http.request({
          url: `${api}/smtp/email`,
          signal,
          headers,
          body: {
            sender: personOf(mail.from),
            to: [{ email: mail.to }],
            ...(mail.replyTo && { replyTo: personOf(mail.replyTo) }),
            subject: mail.subject,
            textContent: mail.text,
            ...(mail.html !== undefined && { htmlContent: mail.html }),
            headers: { ...mail.headers, 'X-Mailin-custom': referenceOf(message) },
          },
        });
        if (!response.ok) throw toError(response);
        if (typeof response.json['messageId'] !== 'string') throw unreadableResponse(response);
        return { messageId: response.json['messageId'] };
      },
      async verify({ signal }) {
        const response = await http.request({ method: 'GET', url: `${api}/account`, headers, signal });
        if (!response.ok) throw toError(response);
      },
    };
  },
  async parseReceipts(call, account) {
    const given = /^Bearer (.+)$/i.exec(call.headers['authorization'] ?? '')?.[1] ?? '';
    if (!account.webhook_token || !isSameSecret(given, account.webhook_token))
      throw new ReceiptRefused('The token does not match this account');
    // A batched webhook sends an array of events.
    const events = [JSON.parse(call.body) as BrevoEvent | BrevoEvent[] | null].flat();
    return events.flatMap((event) => (event ? receiptsOf(event['X-Mailin-custom'], receiptEventOf(event)) : []));
  },
});

interface BrevoEvent {
  event?: string;
  reason?: string;
  'X-Mailin-custom'?: string;
}

function receiptEventOf({ event = '', reason = event }: BrevoEvent): ReceiptEvent | null {
  switch (event) {
    case 'delivered':
      return { kind: 'delivered', detail: null };
    case 'opened':
    case 'unique_opened':
      return { kind: 'opened', detail: null };
    case 'spam':
      return { kind: 'complained', detail: null, suppress: 'complained' };
    case 'hard_bounce':
    case 'invalid_email':
      return { kind: 'bounced', detail: reason, suppress: 'bounced' };
    // The address or the sender is on a list of Brevo; no send was tried.
    case 'blocked':
      return { kind: 'bounced', detail: reason };
    default:
      return null;
  }
}

function personOf(text: string): { email: string; name?: string } {
  const { address, name } = partsOf(text);
  return { email: address, ...(name && { name }) };
}

function toError(response: VendorResponse): Error {
  const { code, message } = response.json as { code?: string; message?: string };
  // One code for every invalid field; only the text tells which one.
  const kind = code === 'invalid_parameter' ? kindOfField(message ?? '') : code && codes[code];
  return refusalOf(response, { kind: kind || kindOfStatus(response.status), code, message });
}

function kindOfField(message: string): ProviderErrorKind {
  // Two searches, because a pattern with `.*` between the words takes quadratic time for a text full of "to".
  const to = message.search(/\bto\b/i);
  if (to !== -1 && /not valid/i.test(message.slice(to))) return 'bad_address';
  if (/email is not valid in to/i.test(message)) return 'bad_address';
  return /sender/i.test(message) ? 'misconfigured' : 'rejected';
}
