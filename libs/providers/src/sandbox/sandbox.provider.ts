// Accepts every message, sends none, and stores them in the mailbox. Used for test tenants and in the embedded profile.

import { z } from 'zod';
import { channelIds, ProviderError } from '#domain';
import { defineProvider } from '../define-provider.js';
import { simulate, simulationFor } from './outcomes.js';

export const sandbox = defineProvider({
  id: 'sandbox',
  name: 'Sandbox',
  channels: channelIds.filter((channel) => channel !== 'in_app'),
  senderChoice: 'none',
  credentials: z.strictObject({}),
  connect: (_credentials, context) => ({
    async send(message, { signal, idempotencyKey }) {
      const simulation = simulationFor(message.to ?? message.recipientId) ?? simulationFor(message.recipientId);
      const receipt = simulation ? await simulate(simulation, { attempt: message.attempt, signal }) : undefined;
      if (signal.aborted)
        throw new ProviderError('transient', 'The deadline passed before the send began', {
          code: 'deadline',
        });
      await context.deposit({ ...message, outcome: simulation ?? 'accepted' });
      return { messageId: `sandbox-${idempotencyKey}`, ...(receipt && { receipt }) };
    },
    async verify() {},
  }),
});
