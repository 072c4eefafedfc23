import { createHash } from 'node:crypto';
import { z } from 'zod';
import { channelIds } from '#domain';
import type { NotificationAnswer } from '../api/views.js';
import { CommandError, exitCodes } from '../exit-codes.js';
import type { DeliveryExplanation } from '../run-explain.js';
import { compact, IS_DATA, READS, type Tool, tool } from './tool.js';

/**
 * One known recipient, without HTML and link fields: a model that was misled by a text cannot send to a stranger or to
 * many. It can write an address into the text or a variable, which mail programs make a link.
 */
const send = {
  recipient_id: z.string().min(1).max(255).describe('The id of one recipient, such as user-17'),
  channels: z.array(z.enum(channelIds)).min(1).describe('One message on each'),
  template: z.string().min(1).max(255).optional().describe('The key of a template; list_templates shows them'),
  payload: z.record(z.string(), z.unknown()).optional().describe('The variables of the template'),
  content: z
    .strictObject({
      subject: z.string().max(500).optional(),
      title: z.string().max(500).optional(),
      text: z.string().max(10_000).optional(),
      body: z.string().max(10_000).optional(),
    })
    .optional()
    .describe('Without a template: subject and text for email, text for sms and chat, title and body for in_app, push'),
  category: z.string().min(1).max(255).optional(),
  scheduled_at: z.iso.datetime({ offset: true }).optional().describe('Not before this time, at most a year ahead'),
};
const headerText = z
  .string()
  .regex(/^(?! )[\x20-\x7e]{1,255}(?<! )$/, 'must have 1 to 255 printable ASCII characters, with no space at its ends');
const planned = z.strictObject(send);
type Planned = z.infer<typeof planned>;

const explainNotification = tool({
  name: 'explain_notification',
  title: 'Explain a send',
  description:
    'Shows what send_notification would do with the same arguments: state, reason, the setting that decides, the ' +
    `provider accounts in order, and the rendered message. Sends and stores nothing. ${IS_DATA}`,
  scopes: ['notifications:read', 'notifications:write'],
  annotations: READS,
  input: planned,
  run: async (client, parameters) => {
    const answer: { deliveries: DeliveryExplanation[] } = await client.request(
      'POST',
      '/api/v1/notifications/explain',
      { body: bodyOf(parameters) },
    );
    return compact(answer);
  },
});

const sendNotification = tool({
  name: 'send_notification',
  title: 'Send a notification',
  description:
    'Sends a notification to one recipient. It cannot be taken back. The same arguments send only once in 48 hours: ' +
    'to send the same again on purpose, give another idempotency_key. The result has the first state of each ' +
    'delivery; get_delivery shows what became of it.',
  scopes: ['notifications:write'],
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({ ...send, idempotency_key: headerText.optional() }),
  run: async (client, { idempotency_key: given, ...parameters }) => {
    const key = given ?? `mcp-${createHash('sha256').update(canonical(parameters)).digest('hex')}`;
    let isRepeated = false as boolean;
    try {
      const { id, status, deliveries }: NotificationAnswer = await client.request('POST', '/api/v1/notifications', {
        body: bodyOf(parameters),
        headers: { 'Idempotency-Key': key },
        onHeaders: (headers) => {
          isRepeated = headers.get('idempotency-replayed') === 'true';
        },
      });
      const shown = deliveries.map(({ id: delivery, channel, state, reason, due_at }) =>
        compact({ id: delivery, channel, state, reason, due_at }),
      );
      const note = 'Was sent before with the same arguments or idempotency_key: nothing was sent now.';
      return { notification_id: id, status, deliveries: shown, ...(isRepeated && { note }) };
    } catch (error) {
      if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unavailable) throw error;
      const hint = 'It may have been accepted. Call the tool again with the same arguments: it cannot be sent twice.';
      throw new CommandError(`${error.message}\n${hint}`, error.exitCode, error.details);
    }
  },
});

function bodyOf({ template, ...rest }: Planned): Record<string, unknown> {
  return { ...rest, ...(template !== undefined && { template_id: template }) };
}

/** JSON with the names in order: the same arguments have the same text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([first], [second]) => (first < second ? -1 : 1)))
      : one,
  );
}

export const SEND_TOOLS: readonly Tool[] = [sendNotification, explainNotification];
