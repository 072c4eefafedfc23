// Signatures of vendors' calls.

import { createHash, timingSafeEqual } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { type ReceiptCall, ReceiptRefused } from '../define-provider.js';

/** Compares fixed-length digests, so that timing does not leak the secret or its length. */
export function isSameSecret(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** By how much the clock of a vendor may be ahead of ours. */
const CLOCK_SKEW_SECONDS = 300;

/**
 * Throws {@link ReceiptRefused} if a vendor signed its call more than `maxAgeSeconds` ago or more than five minutes in
 * the future, or if `signedAt` is NaN. `signedAt` is in milliseconds since 1970.
 */
export function checkAge(signedAt: number, maxAgeSeconds: number): void {
  const ageSeconds = (Date.now() - signedAt) / 1_000;
  if (ageSeconds <= maxAgeSeconds && ageSeconds >= -CLOCK_SKEW_SECONDS) return;
  throw new ReceiptRefused(
    `The call must have been signed in the last ${maxAgeSeconds / 3_600} hours; its age is ${Math.round(ageSeconds)} s`,
  );
}

/** Parses seconds since 1970. NaN for any other text. */
export function parseSeconds(text: string): number {
  return /^\d{1,11}$/.test(text) ? Number(text) * 1_000 : Number.NaN;
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
