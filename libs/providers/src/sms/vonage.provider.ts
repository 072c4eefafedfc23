// Codes: https://developer.vonage.com/en/messaging/sms/guides/troubleshooting-sms. The API answers 200 to everything. Receipts:
// https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts.

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
import { same } from '../http/signatures.js';
import { kindOfStatus, refused, unreadable } from '../http/vendor-http.js';

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
  credentials: z.strictObject({
    api_key: z.string().min(1).max(64).meta({ description: 'From the dashboard' }),
    api_secret: secret('From the dashboard'),
    from: z.string().min(3).max(16).meta({ description: 'A number, or a sender name of up to 11 letters' }),
    webhook_secret: secret('Of your choice: with it receipts are believed').optional(),
    endpoint,
  }),
  connect: (account, { http }) => ({
    maxInFlight: MAX_IN_FLIGHT,
    async send(message, { signal }) {
      const text = String(message.content['text']);
      const answer = await http.ask({
        url: `${account.endpoint ?? 'https://rest.nexmo.com'}/sms/json`,
        signal,
        body: new URLSearchParams({
          api_key: account.api_key,
          api_secret: account.api_secret,
          from: account.from,
          to: message.to!.replace(/^\+/, ''),
          text,
          // Beyond ASCII the vendor must be told, or it writes question marks.
          // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
          ...(!/^[\x00-\x7f]*$/.test(text) && { type: 'unicode' }),
          'client-ref': account.webhook_secret
            ? sealed(referenceOf(message), account.webhook_secret)
            : message.deliveryId,
        }),
      });
      if (!answer.ok) throw refused(answer, { kind: kindOfStatus(answer.status) });
      const parts = answer.json['messages'] as
        | { status?: string; 'message-id'?: string; 'error-text'?: string }[]
        | undefined;
      const [first] = parts ?? [];
      if (!first?.status) throw unreadable(answer);
      // A long text goes in parts: when the first is taken, the person gets something, and it must not be sent again.
      if (first.status !== '0')
        throw refused(answer, {
          kind: codes[first.status] ?? 'rejected',
          code: first.status,
          message: first['error-text'],
        });
      return { messageId: first['message-id'] ?? null };
    },
    async verify({ signal }) {
      const query = new URLSearchParams({ api_key: account.api_key, api_secret: account.api_secret });
      const answer = await http.ask({
        method: 'GET',
        url: `${account.endpoint ?? 'https://rest.nexmo.com'}/account/get-balance?${query}`,
        signal,
      });
      if (!answer.ok) throw refused(answer, { kind: kindOfStatus(answer.status) });
    },
  }),
  async parseReceipts(call, account) {
    const isJson = call.headers['content-type']?.startsWith('application/json');
    const fields: Record<string, unknown> = isJson
      ? (JSON.parse(call.body) ?? {})
      : Object.fromEntries(new URLSearchParams(call.body));
    const given = String(fields['client-ref'] ?? '');
    const reference = given.slice(0, given.lastIndexOf('.'));
    if (!account.webhook_secret || !same(given, sealed(reference, account.webhook_secret)))
      throw new ReceiptRefused('The reference is not one that this account gave');
    return receiptsOf(reference, receiptEventOf(String(fields['status']), String(fields['err-code'])));
  },
});

/** What fits into the hundred characters of a reference beside the reference itself, and a dot. */
const SEAL_LENGTH = 26;

/**
 * A reference that nobody else can make. Vonage signs what it reports only for accounts whose support has switched that on, in a way of their
 * choosing; so what it carries is signed instead.
 */
function sealed(reference: string, key: string): string {
  return `${reference}.${createHmac('sha256', key).update(reference).digest('base64url').slice(0, SEAL_LENGTH)}`;
}

/** Absent for good, and an illegal number: https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts#dlr-error-codes. */
const GONE = new Set(['3', '9']);

function receiptEventOf(status: string, code: string): ReceiptEvent | null {
  switch (status) {
    case 'delivered':
      return { kind: 'delivered', detail: null };
    case 'failed':
    case 'rejected':
    case 'expired':
      return { kind: 'bounced', detail: `${status} ${code}`, ...(GONE.has(code) && { suppress: 'bad_address' }) };
    default:
      return null;
  }
}
