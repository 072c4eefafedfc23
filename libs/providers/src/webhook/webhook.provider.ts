// Standard Webhooks 1.0 (https://www.standardwebhooks.com): signs id, timestamp and body, with both
// secrets while one is being replaced.

import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import { defineProvider, secret } from '../define-provider.js';
import { kindOfStatus, refusalOf } from '../http/vendor-http.js';

/** Enough for a fast endpoint, and few enough that a hanging one does not fill the worker. */
const MAX_IN_FLIGHT = 20;

const codes: Readonly<Record<number, ProviderErrorKind>> = {
  // Standard Webhooks: the receiver wants no more events.
  410: 'misconfigured',
  429: 'throttled',
  502: 'throttled',
  504: 'throttled',
};

export const webhook = defineProvider({
  id: 'webhook',
  name: 'Webhook',
  channels: ['webhook'],
  senderChoice: 'none',
  credentials: z.strictObject({
    url: z
      .string()
      .max(2_048)
      .regex(/^https?:\/\/[^\s/]/, 'must be an https URL'),
    secret: signingSecret(
      'The secret with which the receiver verifies signatures: whsec_ and 24 to 64 bytes in base64',
    ),
    old_secret: signingSecret('A second secret, while the receiver changes to the new one').optional(),
  }),
  connect: (account, { http }) => {
    const signers = [account.secret, ...(account.old_secret ? [account.old_secret] : [])].map(
      (text) => new Webhook(text),
    );
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const body = String(message.content['body']);
        // The same for each attempt and for an event that is sent again, so that the receiver can detect duplicates.
        const id = `msg_${message.eventId ?? message.deliveryId}`;
        const now = new Date();
        const response = await http.request({
          url: account.url,
          signal,
          headers: {
            'content-type': 'application/json',
            'webhook-id': id,
            'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
            'webhook-signature': signers.map((signer) => signer.sign(id, now, body)).join(' '),
            ...(message.traceparent && { traceparent: message.traceparent }),
          },
          body,
        });
        // Redirects are not followed, because only the URL itself was checked and saved.
        if (!response.ok) {
          const other = kindOfStatus(response.status);
          // An endpoint may accept tomorrow what it refuses today. Only 410 is final.
          const kind =
            codes[response.status] ?? (other === 'rejected' || other === 'misconfigured' ? 'transient' : other);
          throw refusalOf(response, { kind, message: `HTTP ${response.status}: ${excerptOf(response.text)}` });
        }
        return { messageId: id };
      },
      async verify() {
        // Only a message can test an endpoint: POST /api/v1/webhooks/{id}/test sends one.
      },
    };
  },
});

function signingSecret(description: string) {
  return secret(description).refine((text) => {
    const bytes = Buffer.from(text.replace(/^whsec_/, ''), 'base64').length;
    return text.startsWith('whsec_') && bytes >= 24 && bytes <= 64;
  }, 'must be whsec_ and 24 to 64 bytes in base64');
}

/** The part of the endpoint's response that its tenant can see. */
function excerptOf(text: string): string {
  return text.slice(0, 200).replace(/[\p{Cc}\s]+/gu, ' ');
}
