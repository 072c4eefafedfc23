// Codes: https://docs.discord.com/developers/topics/opcodes-and-status-codes, https://docs.discord.com/developers/topics/rate-limits.

import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, secretUrl } from '../define-provider.js';
import { kindOfStatus, refused, unreadable, type VendorAnswer } from '../http/vendor-http.js';

/** Thirty a minute for each webhook. */
const PACE = 0.5;
const LONGEST_TEXT = 2_000;

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
  pacePerSecond: PACE,
  credentials: z.strictObject({
    webhook_url: secretUrl('The webhook, such as https://discord.com/api/webhooks/…, from the settings of the channel'),
  }),
  connect: ({ webhook_url: webhook }, { http }) => ({
    async send(message, { signal }) {
      const content = String(message.content['text']);
      if (content.length > LONGEST_TEXT)
        throw new ProviderError('rejected', `Discord takes ${LONGEST_TEXT} characters, this has ${content.length}`, {
          code: 'too_long',
        });
      const url = new URL(webhook);
      // Without it the answer comes before the message was looked at.
      url.searchParams.set('wait', 'true');
      // What stands in a text must not call everybody.
      const answer = await http.ask({ url: url.href, body: { content, allowed_mentions: { parse: [] } }, signal });
      if (!answer.ok) throw toError(answer);
      if (typeof answer.json['id'] !== 'string') throw unreadable(answer);
      return { messageId: answer.json['id'] };
    },
    async verify({ signal }) {
      const answer = await http.ask({ method: 'GET', url: webhook, signal });
      if (!answer.ok) throw toError(answer);
    },
  }),
});

function toError(answer: VendorAnswer): Error {
  const code = answer.json['code'] === undefined ? null : String(answer.json['code']);
  const wait = answer.json['retry_after'];
  return refused(answer, {
    kind: (code !== null && codes[code]) || (answer.status === 404 ? 'misconfigured' : kindOfStatus(answer.status)),
    code: code === '0' ? null : code,
    message: answer.json['message'] as string | undefined,
    retryAfterSeconds: typeof wait === 'number' ? wait : null,
  });
}
