// Signatures of calls that come from vendors.

import { createHash, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { type ReceiptCall, ReceiptRefused } from '../define-provider.js';

/** Two secrets, compared in constant time. */
export function same(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/**
 * Checks a call that is signed as Standard Webhooks says, under the given prefix of its headers, and returns what it holds. Throws
 * {@link ReceiptRefused}.
 */
export function verifyStandardWebhook(
  call: ReceiptCall,
  secret: string | undefined,
  prefix: 'webhook' | 'svix',
): unknown {
  if (!secret) throw new ReceiptRefused('The account has no webhook_secret');
  const header = (name: string): string => call.headers[`${prefix}-${name}`] ?? '';
  try {
    return new Webhook(secret).verify(call.body, {
      'webhook-id': header('id'),
      'webhook-timestamp': header('timestamp'),
      'webhook-signature': header('signature'),
    });
  } catch {
    throw new ReceiptRefused('The signature is not that of this account');
  }
}
