import { z } from 'zod';
import { anyAddress, defineChannel, noAddress, source } from './define-channel.js';

export const webhook = defineChannel({
  id: 'webhook',
  content: z.strictObject({ body: source }).meta({ id: 'WebhookContent' }),
  fields: { body: 'text' },
  maxSourceBytes: 256 * 1024,
  addressFrom: null,
  addressesOf: noAddress,
  addressFault: anyAddress,
  unknownOutcome: 'resend',
  recipientLimit: null,
  sends: 'provider',
});
