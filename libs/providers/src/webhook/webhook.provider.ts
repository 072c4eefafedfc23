// Standard Webhooks 1.0 (https://www.standardwebhooks.com): id, timestamp and body signed; several signatures while a secret is
// being replaced.

import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import type { ProviderErrorKind } from '#domain';
import { defineProvider, secret } from '../define-provider.js';
import { kindOfStatus, refused } from '../http/vendor-http.js';

/** Enough for a quick endpoint, few enough that one that hangs holds nobody else's place. */
const MAX_IN_FLIGHT = 20;

const codes: Readonly<Record<number, ProviderErrorKind>> = {
  // The receiver does not want it any more.
  410: 'misconfigured',
  429: 'throttled',
  502: 'throttled',
  504: 'throttled',
};

export const webhook = defineProvider({
  id: 'webhook',
  name: 'Webhook',
  channels: ['webhook'],
  credentials: z.strictObject({
    url: z
      .string()
      .max(2_048)
      .regex(/^https?:\/\/[^\s/]/, 'must be an https URL'),
    secret: signingSecret('What the receiver checks signatures with: whsec_ and 24 to 64 bytes in base64'),
    old_secret: signingSecret('A second one, while the receiver changes over').optional(),
  }),
  connect: (account, { http }) => {
    const signers = [account.secret, ...(account.old_secret ? [account.old_secret] : [])].map(
      (text) => new Webhook(text),
    );
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const body = String(message.content['body']);
        // The same for every try, and for the same event when it is sent again.
        const id = `msg_${message.eventId ?? message.deliveryId}`;
        const now = new Date();
        const answer = await http.ask({
          url: account.url,
          signal,
          headers: {
            'content-type': 'application/json',
            'webhook-id': id,
            'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
            'webhook-signature': signers.map((signer) => signer.sign(id, now, body)).join(' '),
          },
          body,
        });
        // A redirect is no answer: what stands behind it was not asked for.
        if (!answer.ok) {
          const other = kindOfStatus(answer.status);
          // What it refuses today it may take tomorrow: only it can tell, by 410.
          const kind =
            codes[answer.status] ?? (other === 'rejected' || other === 'misconfigured' ? 'transient' : other);
          throw refused(answer, { kind, message: `HTTP ${answer.status}: ${excerptOf(answer.text)}` });
        }
        return { messageId: id };
      },
      async verify() {
        // Only a message would tell; the address was looked at when it was saved. POST /api/v1/webhooks/{id}/test sends one.
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

/** What an endpoint answered is shown to its tenant only, and only so much of it. */
function excerptOf(text: string): string {
  return text.slice(0, 200).replace(/[\p{Cc}\s]+/gu, ' ');
}
