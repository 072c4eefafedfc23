import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import type { WebhookEvent } from './generated/types.gen.js';

export { WebhookVerificationError };

type WebhookHeaders = Headers | Record<string, string | string[] | undefined>;

/**
 * Returns the event of a webhook call, and throws `WebhookVerificationError` when the signature matches none of the
 * secrets or the call is more than five minutes old (https://www.standardwebhooks.com).
 * @param secrets `whsec_…`; during a rotation the new and the old one.
 * @param body The body as it arrived. A parsed and serialized body has another signature.
 */
export function verifyWebhook(
  secrets: string | readonly string[],
  headers: WebhookHeaders,
  body: string | Uint8Array,
): WebhookEvent {
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  const list = typeof secrets === 'string' ? [secrets] : secrets;
  const flat = flattened(headers);
  let failure: unknown = new WebhookVerificationError('No secret was given');
  for (const secret of list) {
    try {
      return new Webhook(secret).verify(text, flat) as WebhookEvent;
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** A Headers object, and the headers of Node, in which a repeated header is an array. */
function flattened(headers: WebhookHeaders): Record<string, string> {
  const entries = headers instanceof Headers ? [...headers] : Object.entries(headers);
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}
