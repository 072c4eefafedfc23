// Codes: https://core.telegram.org/bots/api#making-requests (error_code, description, parameters.retry_after).

import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, secret } from '../define-provider.js';
import { kindOfStatus, refused, unreadable, type VendorAnswer } from '../http/vendor-http.js';

/** Thirty a second for each bot (core.telegram.org/bots/faq). */
const PACE = 30;

export const telegram = defineProvider({
  id: 'telegram',
  name: 'Telegram',
  channels: ['chat'],
  pacePerSecond: PACE,
  credentials: z.strictObject({
    token: secret('The token of the bot, from @BotFather').regex(/^\d+:[\w-]+$/, 'must look like 123456:ABC…'),
    chat_id: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'Where the bot writes when a delivery names no chat' }),
    endpoint,
  }),
  connect: (account, { http }) => {
    // The token is a part of the path: no URL of this vendor may stand in an error.
    const api = `${account.endpoint ?? 'https://api.telegram.org'}/bot${account.token}`;
    return {
      async send(message, { signal }) {
        const chat = message.to ?? account.chat_id;
        if (!chat)
          throw new ProviderError('misconfigured', 'Neither the delivery nor the account names a chat', {
            code: 'no_chat',
          });
        const answer = await http.ask({
          url: `${api}/sendMessage`,
          body: { chat_id: chat, text: message.content['text'] },
          signal,
        });
        if (!answer.ok || answer.json['ok'] === false) throw toError(answer);
        const id = (answer.json['result'] as { message_id?: number } | undefined)?.message_id;
        if (id === undefined) throw unreadable(answer);
        return { messageId: String(id) };
      },
      async verify({ signal }) {
        const answer = await http.ask({ method: 'GET', url: `${api}/getMe`, signal });
        if (!answer.ok || answer.json['ok'] === false) throw toError(answer);
      },
    };
  },
});

function toError(answer: VendorAnswer): ProviderError {
  const description = String(answer.json['description'] ?? '');
  const { retry_after: wait } = (answer.json['parameters'] ?? {}) as { retry_after?: number };
  return refused(answer, { kind: kindOf(answer.status, description), message: description, retryAfterSeconds: wait });
}

function kindOf(status: number, description: string): ProviderErrorKind {
  if (status === 403 || /chat not found|user is deactivated|group chat was upgraded/i.test(description))
    return 'bad_address';
  return status === 404 ? 'misconfigured' : kindOfStatus(status);
}
