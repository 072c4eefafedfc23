// Codes: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (a webhook responds with one word)
// and https://docs.slack.dev/reference/methods/chat.postMessage (200 with ok: false).

import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, secret, secretUrl } from '../define-provider.js';
import { codesFor, kindOfStatus, refusalOf, unreadableResponse, type VendorResponse } from '../http/vendor-http.js';

/** One message a second for each webhook or channel (docs.slack.dev/apis/web-api/rate-limits). */
const PACE = 1;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  ...codesFor(
    'rejected',
    'invalid_payload',
    'too_many_attachments',
    'no_text',
    'msg_too_long',
    'invalid_blocks',
    'invalid_blocks_format',
  ),
  ...codesFor(
    'misconfigured',
    'no_service',
    'no_service_id',
    'no_team',
    'team_disabled',
    'invalid_token',
    'action_prohibited',
  ),
  ...codesFor(
    'misconfigured',
    'posting_to_general_channel_denied',
    'not_in_channel',
    'is_archived',
    'channel_is_archived',
  ),
  ...codesFor(
    'misconfigured',
    'invalid_auth',
    'not_authed',
    'account_inactive',
    'token_revoked',
    'token_expired',
    'missing_scope',
  ),
  ...codesFor('misconfigured', 'channel_not_found', 'restricted_action', 'ekm_access_denied', 'access_denied'),
  user_not_found: 'bad_address',
  ...codesFor('throttled', 'ratelimited', 'rate_limited', 'message_limit_exceeded'),
  ...codesFor('transient', 'rollup_error', 'internal_error', 'fatal_error', 'service_unavailable', 'request_timeout'),
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
      .meta({ description: 'Channel for deliveries without a recipient_address' }),
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
  senderChoice: {
    list: 'allowed_channels',
    // A webhook posts to its own channel, whatever the message says.
    chosen: (message, account) => (account.webhook_url ? null : message.to),
    own: (account) => account.channel ?? null,
  },
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
          const response = await http.request({ url: account.webhook_url, body, signal });
          if (!response.ok) throw toError(response, response.text.trim());
          return { messageId: null };
        }
        const channel = message.to ?? account.channel;
        if (!channel)
          throw new ProviderError('misconfigured', 'Neither the delivery nor the account has a channel', {
            code: 'no_channel',
          });
        const response = await http.request({
          url: `${api}/chat.postMessage`,
          headers,
          body: JSON.stringify({ channel, ...body }),
          signal,
        });
        if (!response.ok || response.json['ok'] === false)
          throw toError(response, String(response.json['error'] ?? ''));
        if (typeof response.json['ts'] !== 'string') throw unreadableResponse(response);
        return { messageId: response.json['ts'] };
      },
      async verify({ signal }) {
        // A webhook can only be posted to. It refuses an empty post with a word that proves that it exists.
        const response = account.webhook_url
          ? await http.request({ url: account.webhook_url, body: {}, signal })
          : await http.request({ url: `${api}/auth.test`, headers, signal });
        const word = account.webhook_url ? response.text.trim() : String(response.json['error'] ?? '');
        if (account.webhook_url && (word === 'no_text' || word === 'invalid_payload')) return;
        if (!response.ok || response.json['ok'] === false) throw toError(response, word);
      },
    };
  },
});

function toError(response: VendorResponse, word: string): Error {
  const known = /^[a-z_]{1,64}$/.test(word);
  return refusalOf(response, {
    kind:
      codes[word] ??
      (response.ok ? 'rejected' : response.status === 404 ? 'misconfigured' : kindOfStatus(response.status)),
    code: known ? word : null,
    message: known ? word : undefined,
  });
}
