// Signatures of vendors' calls.

import { createHash, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { type ReceiptCall, ReceiptRefused } from '../define-provider.js';

/** Compares fixed-length digests, so that timing does not leak the secret or its length. */
export function isSameSecret(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/**
 * Verifies a call signed according to Standard Webhooks, whose headers have the given prefix, and returns the parsed
 * body. Throws {@link ReceiptRefused}.
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
    throw new ReceiptRefused('The signature does not match this account');
  }
}
