import { z } from 'zod';
import { anyAddress, defineChannel, lineSource, source } from './define-channel.js';

/**
 * With the longest recipient id, 255 characters of four bytes, and the tenant it fits into the index of the devices: a
 * row of a B-tree index has at most 2,704 bytes.
 */
export const MAX_DEVICE_TOKEN_BYTES = 1_600;

export const push = defineChannel({
  id: 'push',
  content: z
    .strictObject({
      title: lineSource,
      body: source,
      data: z.record(z.string().max(255), z.string()).optional(),
      image_url: lineSource.optional(),
    })
    .meta({ id: 'PushContent' }),
  fields: { title: 'line', body: 'text', data: 'json', image_url: 'url' },
  maxSourceBytes: 64 * 1024,
  addressFrom: 'devices',
  addressesOf: (recipient) => recipient.devices.map((device) => device.token),
  addressFault: anyAddress,
  unknownOutcome: 'resend',
  recipientLimit: { limit: 5, windowSeconds: 3_600 },
  sends: 'provider',
});
