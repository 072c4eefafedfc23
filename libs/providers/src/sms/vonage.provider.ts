// Codes: https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms. The API responds 200 to every
// request. Receipts: https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts.

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
import { isSameSecret } from '../http/signatures.js';
import { kindOfStatus, refusalOf, unreadableResponse } from '../http/vendor-http.js';

const MAX_IN_FLIGHT = 30;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  1: 'throttled',
  2: 'rejected',
  3: 'bad_address',
  4: 'misconfigured',
  5: 'transient',
  6: 'rejected',
  7: 'bad_address',
  8: 'misconfigured',
  9: 'misconfigured',
  10: 'throttled',
  11: 'misconfigured',
  12: 'rejected',
  14: 'misconfigured',
  15: 'misconfigured',
  22: 'bad_address',
  23: 'misconfigured',
  29: 'misconfigured',
  32: 'misconfigured',
  33: 'bad_address',
};

export const vonage = defineProvider({
  id: 'vonage',
  name: 'Vonage',
  channels: ['sms'],
  senderChoice: 'none',
  credentials: z.strictObject({
    api_key: z.string().min(1).max(64).meta({ description: 'From the dashboard' }),
    api_secret: secret('From the dashboard'),
    from: z.string().min(3).max(16).meta({ description: 'A number, or a sender name of up to 11 letters' }),
    webhook_secret: secret('A secret of your choice: it authenticates receipts').optional(),
    endpoint,
  }),
  connect: (account, { http }) => ({
    maxInFlight: MAX_IN_FLIGHT,
    async send(message, { signal }) {
      const text = String(message.content['text']);
      const response = await http.request({
        url: `${account.endpoint ?? 'https://rest.nexmo.com'}/sms/json`,
        signal,
        body: new URLSearchParams({
          api_key: account.api_key,
          api_secret: account.api_secret,
          from: account.from,
          to: message.to!.replace(/^\+/, ''),
          text,
          // Without this type Vonage replaces characters outside ASCII by question marks.
          // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
          ...(!/^[\x00-\x7f]*$/.test(text) && { type: 'unicode' }),
          'client-ref': account.webhook_secret
            ? signReference(referenceOf(message), account.webhook_secret)
            : message.deliveryId,
        }),
      });
      if (!response.ok) throw refusalOf(response, { kind: kindOfStatus(response.status) });
      const parts = response.json['messages'] as
        | { status?: string; 'message-id'?: string; 'error-text'?: string }[]
        | undefined;
      const [first] = parts ?? [];
      if (!first?.status) throw unreadableResponse(response);
      // A long text has several parts. If the first is accepted, the recipient gets it, so the message must not be sent
      // again.
      if (first.status !== '0')
        throw refusalOf(response, {
          kind: codes[first.status] ?? 'rejected',
          code: first.status,
          message: first['error-text'],
        });
      return { messageId: first['message-id'] ?? null };
    },
    async verify({ signal }) {
      const query = new URLSearchParams({ api_key: account.api_key, api_secret: account.api_secret });
      const response = await http.request({
        method: 'GET',
        url: `${account.endpoint ?? 'https://rest.nexmo.com'}/account/get-balance?${query}`,
        signal,
      });
      if (!response.ok) throw refusalOf(response, { kind: kindOfStatus(response.status) });
    },
  }),
  async parseReceipts(call, account) {
    const isJson = call.headers['content-type']?.startsWith('application/json');
    const fields: Record<string, unknown> = isJson
      ? (JSON.parse(call.body) ?? {})
      : Object.fromEntries(new URLSearchParams(call.body));
    const given = String(fields['client-ref'] ?? '');
    const reference = given.slice(0, given.lastIndexOf('.'));
    if (!account.webhook_secret || !isSameSecret(given, signReference(reference, account.webhook_secret)))
      throw new ReceiptRefused('The signature of the reference does not match this account');
    return receiptsOf(reference, receiptEventOf(String(fields['status']), String(fields['err-code'])));
  },
});

/** A `client-ref` has at most 100 characters: 73 of the reference, a dot, and these. */
const SIGNATURE_LENGTH = 26;

/**
 * Signs the reference that a message carries and its receipt returns. Vonage signs the receipts themselves only for
 * accounts for which its support has enabled that.
 */
function signReference(reference: string, key: string): string {
  return `${reference}.${createHmac('sha256', key).update(reference).digest('base64url').slice(0, SIGNATURE_LENGTH)}`;
}

/**
 * `err-code`: absent subscriber permanent, and illegal number:
 * https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts#dlr-error-codes.
 */
const PERMANENT = new Set(['3', '9']);

function receiptEventOf(status: string, code: string): ReceiptEvent | null {
  switch (status) {
    case 'delivered':
      return { kind: 'delivered', detail: null };
    case 'failed':
    case 'rejected':
    case 'expired':
      return { kind: 'bounced', detail: `${status} ${code}`, ...(PERMANENT.has(code) && { suppress: 'bad_address' }) };
    default:
      return null;
  }
}
