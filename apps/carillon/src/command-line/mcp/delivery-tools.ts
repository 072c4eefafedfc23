import { z } from 'zod';
import { channelIds, deliveryStates } from '#domain';
import { deliveriesOf, timelineRows } from '../run-explain.js';
import { compact, IS_DATA, READS, type Tool, tool } from './tool.js';

const time = z.iso.datetime({ offset: true });

const findDeliveries = tool({
  name: 'find_deliveries',
  title: 'Find deliveries',
  description:
    'Finds deliveries, newest first: one is one message to one recipient on one channel, with its state and reason. ' +
    `Give next_cursor of the result as cursor to read on. ${IS_DATA}`,
  scopes: ['notifications:read'],
  annotations: READS,
  input: z.strictObject({
    recipient_id: z.string().min(1).max(255).optional().describe('The id of the recipient, such as user-17'),
    address: z.string().min(1).max(320).optional().describe('An e-mail address or a phone number'),
    channel: z.enum(channelIds).optional(),
    states: z.array(z.enum(deliveryStates)).min(1).optional(),
    reason: z.string().max(100).optional().describe('A code such as opted_out, quiet_hours or no_address'),
    template: z.string().max(255).optional().describe('The key of a template'),
    category: z.string().max(255).optional(),
    notification_id: z.uuid().optional(),
    created_from: time.optional().describe('Inclusive, such as 2026-12-01T00:00:00Z'),
    created_to: time.optional().describe('Exclusive'),
    limit: z.int().min(1).max(50).default(20),
    cursor: z.string().max(500).optional(),
  }),
  run: async (client, { states, ...query }) => {
    const page: { data: object[] } = await client.request('GET', '/api/v1/deliveries', {
      query: { ...query, ...(states && { state: states.join(',') }) },
    });
    // With an empty list, which says that there is none.
    return { ...(compact(page) as object), data: page.data.map((one) => compact(one)) };
  },
});

const getDelivery = tool({
  name: 'get_delivery',
  title: 'Get a delivery',
  description:
    'Returns a delivery with its timeline: every decision, attempt, hold and receipt with its time and reason. Takes ' +
    `the id of a delivery, or of a notification for its first 20 deliveries. ${IS_DATA}`,
  scopes: ['notifications:read'],
  annotations: READS,
  input: z.strictObject({ id: z.uuid() }),
  run: async (client, { id }) => {
    const deliveries = await deliveriesOf(client, id);
    return {
      deliveries: deliveries.map((delivery) => ({
        ...(compact(delivery) as object),
        timeline: timelineRows(delivery.timeline).map(([at, code, details]) => compact(`${at} ${code}: ${details}`)),
      })),
    };
  },
});

export const DELIVERY_TOOLS: readonly Tool[] = [findDeliveries, getDelivery];
