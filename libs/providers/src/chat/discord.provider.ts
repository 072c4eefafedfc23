// Codes: https://docs.discord.com/developers/topics/opcodes-and-status-codes,
// https://docs.discord.com/developers/topics/rate-limits.

import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, secretUrl } from '../define-provider.js';
import { kindOfStatus, refusalOf, unreadableResponse, type VendorResponse } from '../http/vendor-http.js';

/** Discord accepts 30 messages a minute for each webhook. */
const PACE = 0.5;
const MAX_CHARACTERS = 2_000;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  10003: 'misconfigured',
  10015: 'misconfigured',
  50006: 'rejected',
  50027: 'misconfigured',
  50035: 'rejected',
};

export const discord = defineProvider({
  id: 'discord',
  name: 'Discord',
  channels: ['chat'],
  senderChoice: 'none',
  pacePerSecond: PACE,
  credentials: z.strictObject({
    webhook_url: secretUrl('The webhook, such as https://discord.com/api/webhooks/…, from the settings of the channel'),
  }),
  connect: ({ webhook_url: webhook }, { http }) => ({
    async send(message, { signal }) {
      const content = String(message.content['text']);
      if (content.length > MAX_CHARACTERS)
        throw new ProviderError(
          'rejected',
          `Discord accepts at most ${MAX_CHARACTERS} characters, got ${content.length}`,
          {
            code: 'too_long',
          },
        );
      const url = new URL(webhook);
      // Without `wait` Discord responds before it has checked the message.
      url.searchParams.set('wait', 'true');
      // Texts may contain a recipient's input, so mentions such as @everyone notify no one.
      const response = await http.request({
        url: url.href,
        body: { content, allowed_mentions: { parse: [] } },
        signal,
      });
      if (!response.ok) throw toError(response);
      if (typeof response.json['id'] !== 'string') throw unreadableResponse(response);
      return { messageId: response.json['id'] };
    },
    async verify({ signal }) {
      const response = await http.request({ method: 'GET', url: webhook, signal });
      if (!response.ok) throw toError(response);
    },
  }),
});

function toError(response: VendorResponse): Error {
  const code = response.json['code'] === undefined ? null : String(response.json['code']);
  const wait = response.json['retry_after'];
  return refusalOf(response, {
    kind: (code !== null && codes[code]) || (response.status === 404 ? 'misconfigured' : kindOfStatus(response.status)),
    code: code === '0' ? null : code,
    message: response.json['message'] as string | undefined,
    retryAfterSeconds: typeof wait === 'number' ? wait : null,
  });
}
