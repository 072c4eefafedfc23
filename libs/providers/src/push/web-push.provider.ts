// RFC 8030 (protocol), RFC 8291 (encryption), RFC 8292 (VAPID). The library encrypts and signs; our HTTP client makes
// the request.

import type webPush from 'web-push';
import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, secret } from '../define-provider.js';
import { kindOfStatus, refusalOf } from '../http/vendor-http.js';

const MAX_IN_FLIGHT = 100;
const MAX_BYTES = 3_993;
const DEFAULT_TTL_SECONDS = 86_400;

const codes: Readonly<Record<number, ProviderErrorKind>> = {
  404: 'bad_address',
  410: 'bad_address',
  413: 'rejected',
};

const subscription = z.object({
  endpoint: z.url({ protocol: /^https?$/ }),
  keys: z.object({ p256dh: z.string().min(1), auth: z.string().min(1) }),
});

export const webPushProvider = defineProvider({
  id: 'web-push',
  name: 'Web Push',
  channels: ['push'],
  senderChoice: 'none',
  // The token of a web device is the browser's subscription as JSON.
  reaches: (address) => readSubscription(address) !== null,
  credentials: z.strictObject({
    subject: z
      .string()
      .regex(/^(mailto:|https:\/\/)/, 'must begin with mailto: or https://')
      .meta({ description: 'A contact for the push services' }),
    public_key: z.string().length(87).meta({ description: 'The VAPID public key, base64url' }),
    private_key: secret('The VAPID private key, base64url').length(43),
  }),
  connect: (account, { http }) => ({
    maxInFlight: MAX_IN_FLIGHT,
    async send(message, { signal }) {
      const target = readSubscription(message.to!);
      if (!target)
        throw new ProviderError('bad_address', 'The device token is not a browser subscription', {
          code: 'no_subscription',
        });
      const payload = JSON.stringify({ ...message.content, delivery_id: message.deliveryId });
      if (Buffer.byteLength(payload) > MAX_BYTES)
        throw new ProviderError(
          'rejected',
          `A push message has at most ${MAX_BYTES} bytes, got ${Buffer.byteLength(payload)}`,
          { code: 'too_long' },
        );
      const { endpoint, headers, body } = await detailsOf(
        target,
        payload,
        account,
        message.ttlSeconds ?? DEFAULT_TTL_SECONDS,
      );
      const response = await http.request({ url: endpoint, headers, body, signal });
      if (!response.ok)
        throw refusalOf(response, {
          kind: codes[response.status] ?? kindOfStatus(response.status),
          message: response.text.slice(0, 200),
        });
      return { messageId: response.header('location') };
    },
    async verify() {
      // A push service sees the keys only with a message, so this only checks that they can sign.
      await detailsOf({ endpoint: 'https://push.example.com/', keys: undefined }, undefined, account, 1);
    },
  }),
});

interface Account {
  subject: string;
  public_key: string;
  private_key: string;
}

async function detailsOf(
  target: { endpoint: string; keys: { p256dh: string; auth: string } | undefined },
  payload: string | undefined,
  account: Account,
  ttlSeconds: number,
): Promise<{ endpoint: string; headers: Record<string, string>; body: Buffer }> {
  // Loaded only for an account that uses it.
  const { default: library } = await import('web-push');
  try {
    const details = library.generateRequestDetails(target as webPush.PushSubscription, payload, {
      vapidDetails: { subject: account.subject, publicKey: account.public_key, privateKey: account.private_key },
      TTL: Math.floor(ttlSeconds),
      contentEncoding: 'aes128gcm',
    });
    const headers = Object.fromEntries(
      Object.entries(details.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    delete headers['content-length'];
    return { endpoint: details.endpoint, headers, body: details.body };
  } catch (error) {
    const aboutKeys = /vapid/i.test((error as Error).message);
    throw new ProviderError(
      aboutKeys ? 'misconfigured' : 'bad_address',
      aboutKeys ? 'The VAPID keys are not valid' : 'The keys of the subscription are not valid',
      {
        code: aboutKeys ? 'vapid' : 'no_subscription',
      },
    );
  }
}

function readSubscription(text: string): z.infer<typeof subscription> | null {
  try {
    return subscription.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
