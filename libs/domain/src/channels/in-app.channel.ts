import { z } from 'zod';
import { anyAddress, defineChannel, lineSource, noAddress, source } from './define-channel.js';

export const inApp = defineChannel({
  id: 'in_app',
  content: z
    .strictObject({
      title: lineSource,
      body: source,
      action_url: lineSource.optional(),
      data: z.record(z.string().max(255), z.string()).optional(),
    })
    .meta({ id: 'InAppContent' }),
  fields: { title: 'line', body: 'text', action_url: 'url', data: 'json' },
  maxSourceBytes: 64 * 1024,
  addressFrom: null,
  addressesOf: noAddress,
  addressFault: anyAddress,
  unknownOutcome: 'resend',
  recipientLimit: { limit: 50, windowSeconds: 3_600 },
  sends: 'inbox',
});
