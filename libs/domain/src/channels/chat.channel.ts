import { z } from 'zod';
import { anyAddress, defineChannel, noAddress, source } from './define-channel.js';

export const chat = defineChannel({
  id: 'chat',
  content: z
    .strictObject({ text: source, blocks: z.array(z.record(z.string(), z.unknown())).max(50).optional() })
    .meta({ id: 'ChatContent' }),
  fields: { text: 'text', blocks: 'json' },
  maxSourceBytes: 64 * 1024,
  // Optional: the account's own webhook may determine the chat channel.
  addressFrom: null,
  addressesOf: noAddress,
  addressFault: anyAddress,
  unknownOutcome: 'resend',
  recipientLimit: null,
  sends: 'provider',
});
