// Codes: https://core.telegram.org/bots/api#making-requests (error_code, description, parameters.retry_after).

import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, secret } from '../define-provider.js';
import { kindOfStatus, refusalOf, unreadableResponse, type VendorResponse } from '../http/vendor-http.js';

/** 30 messages a second for each bot (core.telegram.org/bots/faq). */
const PACE = 30;

export const telegram = defineProvider({
  id: 'telegram',
  name: 'Telegram',
  channels: ['chat'],
  senderChoice: {
    list: 'allowed_channels',
    chosen: (message) => message.to,
    own: (account) => account.chat_id ?? null,
  },
  pacePerSecond: PACE,
  credentials: z.strictObject({
    token: secret('The token of the bot, from @BotFather').regex(/^\d+:[\w-]+$/, 'must look like 123456:ABC…'),
    chat_id: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'Chat for deliveries without a recipient_address' }),
    endpoint,
  }),
  connect: (account, { http }) => {
    // The path contains the token, so no error may contain the URL.
    const api = `${account.endpoint ?? 'https://api.telegram.org'}/bot${account.token}`;
    return {
      async send(message, { signal }) {
        const chat = message.to ?? account.chat_id;
        if (!chat)
          throw new ProviderError('misconfigured', 'Neither the delivery nor the account has a chat', {
            code: 'no_chat',
          });
        const response = await http.request({
          url: `${api}/sendMessage`,
          body: { chat_id: chat, text: message.content['text'] },
          signal,
        });
        if (!response.ok || response.json['ok'] === false) throw toError(response);
        const id = (response.json['result'] as { message_id?: number } | undefined)?.message_id;
        if (id === undefined) throw unreadableResponse(response);
        return { messageId: String(id) };
      },
      async verify({ signal }) {
        const response = await http.request({ method: 'GET', url: `${api}/getMe`, signal });
        if (!response.ok || response.json['ok'] === false) throw toError(response);
      },
    };
  },
});

function toError(response: VendorResponse): ProviderError {
  const description = String(response.json['description'] ?? '');
  const { retry_after: wait } = (response.json['parameters'] ?? {}) as { retry_after?: number };
  return refusalOf(response, {
    kind: kindOf(response.status, description),
    message: description,
    retryAfterSeconds: wait,
  });
}

function kindOf(status: number, description: string): ProviderErrorKind {
  if (status === 403 || /chat not found|user is deactivated|group chat was upgraded/i.test(description))
    return 'bad_address';
  return status === 404 ? 'misconfigured' : kindOfStatus(status);
}
