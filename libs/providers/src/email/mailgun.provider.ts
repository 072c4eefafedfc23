// Codes: https://documentation.mailgun.com/docs/mailgun/api-reference/mg-errors (Mailgun has statuses and texts, but no
// codes). Receipts: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks. What the
// signatures of all vendors prove: docs/receipts.md.

import { createHmac } from 'node:crypto';
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
import { checkAge, isSameSecret, parseSeconds } from '../http/signatures.js';
import { kindOfStatus, refusalOf, unreadableResponse, type VendorResponse } from '../http/vendor-http.js';
import { emailOf, fromOfContent, sender } from './email.js';

const MAX_IN_FLIGHT = 50;
/**
 * Mailgun repeats a call for eight hours (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks:
 * webhook-retries) and asks receivers to allow for delays. It does not say whether a repeat has a new signature.
 */
const MAX_AGE_SECONDS = 12 * 3_600;
/** How much longer a token is stored, because the database removes it by its own clock. */
const TOKEN_MARGIN_SECONDS = 3_600;
const REGIONS = { us: 'https://api.mailgun.net', eu: 'https://api.eu.mailgun.net' } as const;

export const mailgun = defineProvider({
  id: 'mailgun',
  name: 'Mailgun',
  channels: ['email'],
  senderChoice: fromOfContent,
  credentials: z.strictObject({
    api_key: secret('An API or sending key'),
    domain: z
      .string()
      .regex(/^[a-z0-9.-]{3,253}$/i, 'must be a domain')
      .meta({ description: 'The sending domain' }),
    region: z.enum(['us', 'eu']).default('us'),
    from: sender,
    webhook_signing_key: secret('The HTTP webhook signing key').optional(),
    endpoint,
  }),
  connect: (account, { http }) => {
    const api = `${account.endpoint ?? REGIONS[account.region]}/v3`;
    const headers = { authorization: `Basic ${Buffer.from(`api:${account.api_key}`).toString('base64')}` };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const mail = emailOf(message, account.from);
        const body = new URLSearchParams({ from: mail.from, to: mail.to, subject: mail.subject, text: mail.text });
        if (mail.html !== undefined) body.set('html', mail.html);
        if (mail.replyTo) body.set('h:Reply-To', mail.replyTo);
        for (const [name, value] of Object.entries(mail.headers)) body.set(`h:${name}`, value);
        body.set('v:carillon', referenceOf(message));
        const response = await http.request({ url: `${api}/${account.domain}/messages`, headers, body, signal });
        if (!response.ok) throw toError(response);
        if (typeof response.json['id'] !== 'string') throw unreadableResponse(response);
        return { messageId: response.json['id'] };
      },
      async verify({ signal }) {
        const response = await http.request({
          method: 'GET',
          url: `${api}/domains/${account.domain}`,
          headers,
          signal,
        });
        if (!response.ok) throw toError(response);
      },
    };
  },
  async parseReceipts(call, account) {
    const body = mailgunCall.safeParse(JSON.parse(call.body));
    if (!body.success) throw new ReceiptRefused('The call has no signature of Mailgun');
    const { signature, 'event-data': event } = body.data;
    const expected = createHmac('sha256', account.webhook_signing_key ?? '')
      .update(signature.timestamp + signature.token)
      .digest('hex');
    if (!account.webhook_signing_key || !isSameSecret(signature.signature, expected))
      throw new ReceiptRefused('The signature does not match this account');
    const signedAt = parseSeconds(signature.timestamp);
    checkAge(signedAt, MAX_AGE_SECONDS);
    const found = event ? receiptsOf(event['user-variables']?.['carillon'], receiptEventOf(event)) : [];
    // The signature does not cover the event: a captured token could sign any other event. The verified signature is
    // bound, because it depends on the key, which several accounts may have, and not on the account.
    await call.bindToken(expected, found, new Date(signedAt + (MAX_AGE_SECONDS + TOKEN_MARGIN_SECONDS) * 1_000));
    return found;
  },
});

interface MailgunEvent {
  event?: string;
  severity?: string;
  reason?: string;
  'delivery-status'?: { message?: string; description?: string };
  'user-variables'?: Record<string, string>;
}

const mailgunCall = z.looseObject({
  signature: z.looseObject({
    timestamp: z.union([z.string(), z.number()]).transform(String),
    token: z.string().min(1).max(200),
    signature: z.string(),
  }),
  'event-data': z.custom<MailgunEvent>().optional(),
});

function receiptEventOf(event: MailgunEvent): ReceiptEvent | null {
  const status = event['delivery-status'];
  switch (event.event) {
    case 'delivered':
      return { kind: 'delivered', detail: null };
    case 'opened':
      return { kind: 'opened', detail: null };
    case 'complained':
      return { kind: 'complained', detail: null, suppress: 'complained' };
    case 'failed':
      if (event.severity !== 'permanent') return null;
      return {
        kind: 'bounced',
        detail: status?.message || status?.description || event.reason || null,
        suppress: 'bounced',
      };
    default:
      return null;
  }
}

function toError(response: VendorResponse): Error {
  const message = response.json['message'] as string | undefined;
  return refusalOf(response, { kind: kindOf(response.status, message ?? ''), message });
}

function kindOf(status: number, message: string): ProviderErrorKind {
  if (status === 400 && /'?\bto'? parameter/i.test(message)) return 'bad_address';
  if (status === 404 || (status === 400 && /'?\bfrom'? parameter|sandbox subdomains/i.test(message)))
    return 'misconfigured';
  return kindOfStatus(status);
}
