import { expect, it } from 'vitest';
import type { DeliveryContext } from '#database';
import { channels, StopPipeline } from '#domain';
import { ConsentStep } from './consent.step.js';
import type { Loaded } from './pipeline-context.js';

const step = new ConsentStep();

const loaded = (changes: Partial<DeliveryContext> = {}): Loaded =>
  ({
    channel: channels.email,
    context: {
      tenant: { status: 'active', settings: {}, isSandboxed: false },
      category: null,
      channelSwitches: {},
      categoryPreference: null,
      preferenceRules: null,
      suppression: null,
      ...changes,
    },
  }) as unknown as Loaded;

const stopOf = async (changes: Partial<DeliveryContext>): Promise<unknown> =>
  await step.run(loaded(changes)).catch((error: unknown) => (error instanceof StopPipeline ? error.outcome : error));

it('passes on a delivery that the recipient accepts', async () => {
  expect(await step.run(loaded())).toMatchObject({ consented: true, channel: channels.email });
});

it('suppresses a delivery with the reason, and quotes the entry of the suppression list', async () => {
  expect(await stopOf({ tenant: { status: 'suspended', settings: {}, isSandboxed: false } })).toEqual({
    kind: 'suppressed',
    reason: 'tenant_suspended',
    rule: 'tenant.status',
  });
  expect(await stopOf({ channelSwitches: { email: false } })).toEqual({
    kind: 'suppressed',
    reason: 'opted_out',
    rule: 'recipient.preferences',
  });
  expect(await stopOf({ suppression: 'bounced' })).toEqual({
    kind: 'suppressed',
    reason: 'suppression_list',
    rule: 'suppression_list',
    detail: 'the address is on the suppression list: bounced',
  });
});
