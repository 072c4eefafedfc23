// Codes: https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/responses. Receipts:
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features.

import { createPublicKey, type KeyObject, verify as verifySignature } from 'node:crypto';
import { LRUCache } from 'lru-cache';
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
import { checkAge, parseSeconds } from '../http/signatures.js';
import { kindOfStatus, refusalOf, type VendorResponse } from '../http/vendor-http.js';
import { emailOf, fromOfContent, partsOf, sender } from './email.js';

const MAX_IN_FLIGHT = 100;
/**
 * SendGrid repeats a call for a day (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event). It
 * does not say whether a repeat has a new signature.
 */
const MAX_AGE_SECONDS = 25 * 3_600;

export const sendgrid = defineProvider({
  id: 'sendgrid',
  name: 'SendGrid',
  channels: ['email'],
  senderChoice: fromOfContent,
  credentials: z.strictObject({
    api_key: secret('An API key with the permission to send mail (SG.…)'),
    from: sender,
    webhook_public_key: z
      .string()
      .min(1)
      .max(1_000)
      .optional()
      .meta({ description: 'The verification key of the signed event webhook' }),
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = `${account.endpoint ?? 'https://api.sendgrid.com'}/v3`;
    const headers = { authorization: `Bearer ${account.api_key}` };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const mail = emailOf(message, account.from);
        const from = partsOf(mail.from);
        const response = await http.request({
          url: `${api}/mail/send`,
          signal,
          headers,
          body: {
            personalizations: [{ to: [{ email: mail.to }], custom_args: { carillon: referenceOf(message) } }],
            from: { email: from.address, ...(from.name && { name: from.name }) },
            ...(mail.replyTo && { reply_to: { email: partsOf(mail.replyTo).address } }),
            subject: mail.subject,
            content: [
              { type: 'text/plain', value: mail.text },
              ...(mail.html === undefined ? [] : [{ type: 'text/html', value: mail.html }]),
            ],
            headers: mail.headers,
          },
        });
        if (!response.ok) throw toError(response);
        return { messageId: response.header('x-message-id') };
      },
      async verify({ signal }) {
        const response = await http.request({ method: 'GET', url: `${api}/scopes`, headers, signal });
        if (!response.ok) throw toError(response);
      },
    };
  },
  async parseReceipts(call, account) {
    checkSignature(call.headers, call.body, account.webhook_public_key);
    const events = JSON.parse(call.body) as SendGridEvent[];
    return (Array.isArray(events) ? events : []).flatMap((event) => receiptsOf(event.carillon, receiptEventOf(event)));
  },
});

/** Parsed verification keys by their text, because parsing a key takes longer than verifying a signature. */
const publicKeys = new LRUCache<string, KeyObject>({ max: 1_000 });

interface SendGridEvent {
  carillon?: string;
  event?: string;
  type?: string;
  reason?: string;
}

function receiptEventOf({
  event,
  type,
  reason = null,
}: Omit<SendGridEvent, 'reason'> & { reason?: string | null }): ReceiptEvent | null {
  switch (event) {
    case 'delivered':
      return { kind: 'delivered', detail: null };
    case 'open':
      return { kind: 'opened', detail: null };
    case 'bounce':
      // `blocked` concerns this message and not the address.
      return { kind: 'bounced', detail: reason, suppress: type === 'blocked' ? undefined : 'bounced' };
    case 'dropped':
      return { kind: 'bounced', detail: reason };
    case 'spamreport':
      return { kind: 'complained', detail: null, suppress: 'complained' };
    default:
      return null;
  }
}

/** ECDSA over the timestamp and the body. */
function checkSignature(headers: Readonly<Record<string, string>>, body: string, key: string | undefined): void {
  if (!key) throw new ReceiptRefused('The account has no webhook_public_key');
  const time = headers['x-twilio-email-event-webhook-timestamp'] ?? '';
  const signature = Buffer.from(headers['x-twilio-email-event-webhook-signature'] ?? '', 'base64');
  const isValid = (() => {
    try {
      return verifySignature('sha256', Buffer.from(time + body), publicKeyOf(key), signature);
    } catch {
      return false;
    }
  })();
  if (!isValid) throw new ReceiptRefused('The signature does not match this account');
  checkAge(parseSeconds(time), MAX_AGE_SECONDS);
}

function publicKeyOf(text: string): KeyObject {
  const cached = publicKeys.get(text);
  if (cached) return cached;
  const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
  publicKeys.set(text, key);
  return key;
}

function toError(response: VendorResponse): Error {
  const [first] = (response.json['errors'] ?? []) as { message?: string; field?: string | null }[];
  return refusalOf(response, {
    kind: kindOf(response.status, first?.field ?? ''),
    code: first?.field,
    message: first?.message,
  });
}

function kindOf(status: number, field: string): ProviderErrorKind {
  if (status === 400 && /^personalizations\.\d+\.to/.test(field)) return 'bad_address';
  if (status === 400 && field.startsWith('from')) return 'misconfigured';
  return kindOfStatus(status);
}
