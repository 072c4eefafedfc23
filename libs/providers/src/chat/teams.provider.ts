// Posts to a workflow with the trigger "When a Teams webhook request is received". Microsoft has retired the older
// connectors. https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook

import { z } from 'zod';
import { ProviderError } from '#domain';
import { defineProvider, secretUrl } from '../define-provider.js';
import { kindOfStatus, refusalOf } from '../http/vendor-http.js';

/** Teams throttles at four requests a second; one leaves a margin. */
const PACE = 1;
const MAX_BYTES = 28 * 1024;

export const teams = defineProvider({
  id: 'teams',
  name: 'Microsoft Teams',
  channels: ['chat'],
  senderChoice: 'none',
  pacePerSecond: PACE,
  credentials: z.strictObject({ webhook_url: secretUrl('The URL of the workflow, from its trigger') }),
  connect: ({ webhook_url: url }, { http }) => ({
    async send(message, { signal }) {
      const { text, blocks } = message.content as { text: string; blocks?: object[] };
      const body = JSON.stringify({
        type: 'message',
        attachments: [
          {
            contentType: 'application/vnd.microsoft.card.adaptive',
            content: {
              type: 'AdaptiveCard',
              $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
              version: '1.4',
              body: blocks ?? [{ type: 'TextBlock', text, wrap: true }],
            },
          },
        ],
      });
      if (Buffer.byteLength(body) > MAX_BYTES)
        throw new ProviderError(
          'rejected',
          `Teams accepts at most ${MAX_BYTES} bytes, got ${Buffer.byteLength(body)}`,
          {
            code: 'too_long',
          },
        );
      const response = await http.request({ url, headers: { 'content-type': 'application/json' }, body, signal });
      if (!response.ok) {
        const kind = [404, 410].includes(response.status) ? 'misconfigured' : kindOfStatus(response.status);
        throw refusalOf(response, { kind, code: (response.json['error'] as { code?: string } | undefined)?.code });
      }
      return { messageId: null };
    },
    async verify() {
      // A workflow can only be posted to. The credentials schema has checked the URL.
    },
  }),
});
