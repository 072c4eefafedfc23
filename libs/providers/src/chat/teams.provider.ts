// A workflow with the trigger "When a Teams webhook request is received"; the older connectors are retired.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook

import { z } from 'zod';
import { ProviderError } from '#domain';
import { defineProvider, secretUrl } from '../define-provider.js';
import { kindOfStatus, refused } from '../http/vendor-http.js';

/** Four requests a second throttle; one is safe. */
const PACE = 1;
const LARGEST_BYTES = 28 * 1024;

export const teams = defineProvider({
  id: 'teams',
  name: 'Microsoft Teams',
  channels: ['chat'],
  pacePerSecond: PACE,
  credentials: z.strictObject({ webhook_url: secretUrl('The address of the workflow, from its trigger') }),
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
      if (Buffer.byteLength(body) > LARGEST_BYTES)
        throw new ProviderError('rejected', `Teams takes ${LARGEST_BYTES} bytes, this has ${Buffer.byteLength(body)}`, {
          code: 'too_long',
        });
      const answer = await http.ask({ url, headers: { 'content-type': 'application/json' }, body, signal });
      if (!answer.ok) {
        const kind = [404, 410].includes(answer.status) ? 'misconfigured' : kindOfStatus(answer.status);
        throw refused(answer, { kind, code: (answer.json['error'] as { code?: string } | undefined)?.code });
      }
      return { messageId: null };
    },
    async verify() {
      // A workflow cannot be asked without posting; its address was looked at when it was saved.
    },
  }),
});
