// Codes: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (a webhook's answer is a word) and
// https://docs.slack.dev/reference/methods/chat.postMessage (200 with ok: false).

import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, secret, secretUrl } from '../define-provider.js';
import { allAre, kindOfStatus, refused, unreadable, type VendorAnswer } from '../http/vendor-http.js';

/** A message a second for each webhook or channel (docs.slack.dev/apis/web-api/rate-limits). */
const PACE = 1;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  ...allAre(
    'rejected',
    'invalid_payload',
    'too_many_attachments',
    'no_text',
    'msg_too_long',
    'invalid_blocks',
    'invalid_blocks_format',
  ),
  ...allAre(
    'misconfigured',
    'no_service',
    'no_service_id',
    'no_team',
    'team_disabled',
    'invalid_token',
    'action_prohibited',
  ),
  ...allAre(
    'misconfigured',
    'posting_to_general_channel_denied',
    'not_in_channel',
    'is_archived',
    'channel_is_archived',
  ),
  ...allAre(
    'misconfigured',
    'invalid_auth',
    'not_authed',
    'account_inactive',
    'token_revoked',
    'token_expired',
    'missing_scope',
  ),
  ...allAre('misconfigured', 'channel_not_found', 'restricted_action', 'ekm_access_denied', 'access_denied'),
  user_not_found: 'bad_address',
  ...allAre('throttled', 'ratelimited', 'rate_limited', 'message_limit_exceeded'),
  ...allAre('transient', 'rollup_error', 'internal_error', 'fatal_error', 'service_unavailable', 'request_timeout'),
};

const credentials = z
  .strictObject({
    webhook_url: secretUrl('An incoming webhook, such as https://hooks.slack.com/services/…').optional(),
    token: secret("A bot's token (xoxb-…) with chat:write").optional(),
    channel: z
      .string()
      .min(1)
      .max(80)
      .optional()
      .meta({ description: 'Where the bot posts when a delivery names no channel' }),
    endpoint,
  })
  .refine((account) => (account.webhook_url === undefined) !== (account.token === undefined), {
    message: 'one of webhook_url and token is needed',
    path: ['webhook_url'],
  });

export const slack = defineProvider({
  id: 'slack',
  name: 'Slack',
  channels: ['chat'],
  credentials,
  pacePerSecond: PACE,
  connect: (account, { http }) => {
    const api = `${account.endpoint ?? 'https://slack.com'}/api`;
    const headers = { authorization: `Bearer ${account.token}`, 'content-type': 'application/json; charset=utf-8' };
    return {
      async send(message, { signal }) {
        const { text, blocks } = message.content as { text: string; blocks?: object[] };
        const body = { text, ...(blocks && { blocks }) };
        if (account.webhook_url) {
          const answer = await http.ask({ url: account.webhook_url, body, signal });
          if (!answer.ok) throw toError(answer, answer.text.trim());
          return { messageId: null };
        }
        const channel = message.to ?? account.channel;
        if (!channel)
          throw new ProviderError('misconfigured', 'Neither the delivery nor the account names a channel', {
            code: 'no_channel',
          });
        const answer = await http.ask({
          url: `${api}/chat.postMessage`,
          headers,
          body: JSON.stringify({ channel, ...body }),
          signal,
        });
        if (!answer.ok || answer.json['ok'] === false) throw toError(answer, String(answer.json['error'] ?? ''));
        if (typeof answer.json['ts'] !== 'string') throw unreadable(answer);
        return { messageId: answer.json['ts'] };
      },
      async verify({ signal }) {
        // A webhook cannot be asked without posting; an empty post is refused in a way that tells whether it is alive.
        const answer = account.webhook_url
          ? await http.ask({ url: account.webhook_url, body: {}, signal })
          : await http.ask({ url: `${api}/auth.test`, headers, signal });
        const word = account.webhook_url ? answer.text.trim() : String(answer.json['error'] ?? '');
        if (account.webhook_url && (word === 'no_text' || word === 'invalid_payload')) return;
        if (!answer.ok || answer.json['ok'] === false) throw toError(answer, word);
      },
    };
  },
});

function toError(answer: VendorAnswer, word: string): Error {
  const known = /^[a-z_]{1,64}$/.test(word);
  return refused(answer, {
    kind:
      codes[word] ?? (answer.ok ? 'rejected' : answer.status === 404 ? 'misconfigured' : kindOfStatus(answer.status)),
    code: known ? word : null,
    message: known ? word : undefined,
  });
}
