import { expect, it } from 'vitest';
import type { DeliveryContext } from '#database';
import {
  type CategoryPolicy,
  channels,
  inAppDeliveryId,
  lowestId,
  newId,
  type Outcome,
  type QuietHours,
  StopPipeline,
  timeOfId,
} from '#domain';
import { ConsentStep } from './consent.step.js';
import { Downgrade } from './downgrade.js';
import type { Loaded } from './pipeline-context.js';

/** The tenant has one template with a version for the inbox. */
const step = new ConsentStep(
  new Downgrade({
    heads: async (_tenantId, key) =>
      key === 'both' ? [{ id: newId(), locale: 'en', version: 1, platform: false, payloadSchema: null }] : [],
  }),
);
const loadedAt = new Date('2026-01-15T23:30:00Z');
const deliveryId = newId();

type Changes = Partial<Omit<DeliveryContext, 'notification'>> & {
  notification?: Partial<DeliveryContext['notification']>;
};

const loaded = ({ notification, ...changes }: Changes = {}): Loaded =>
  ({
    delivery: { deliveryId, digestId: null, sending: false, retries: 0, triedAccountIds: [], ordered: false },
    channel: channels.email,
    content: notification?.content ?? {},
    context: {
      loadedAt,
      address: null,
      digestTemplateHeads: [],
      notification: { id: newId(), recipientId: 'ann', channels: ['email'], templateId: null, ...notification },
      recipient: null,
      tenant: { status: 'active', settings: {}, isSandboxed: false },
      category: null,
      channelSwitches: {},
      categoryPreference: null,
      preferenceRules: null,
      quietHours: null,
      suppression: null,
      ...changes,
    },
  }) as unknown as Loaded;

const stopOf = async (changes: Changes): Promise<unknown> =>
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

const night: QuietHours = {
  windows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], from: '22:00', to: '08:00' }],
};
const SECONDS_UNTIL_EIGHT = 8.5 * 3_600;
const policy = (changes: Partial<CategoryPolicy>): CategoryPolicy => ({
  defaultEnabled: true,
  mandatory: false,
  unknownOutcome: null,
  onHold: 'hold',
  onCap: null,
  bypassQuietHours: false,
  bypassCaps: false,
  digest: null,
  ...changes,
});
const kept = { reason: 'quiet_hours', rule: 'recipient.quiet_hours', detail: 'quiet hours of the recipient, in UTC' };

it('holds a delivery in quiet hours until they end, spread over some minutes', async () => {
  const tenant = { status: 'active', settings: { quiet_hours_spread_seconds: 0 }, isSandboxed: false } as const;
  expect(await stopOf({ quietHours: night, tenant })).toEqual({
    kind: 'held',
    ...kept,
    delaySeconds: SECONDS_UNTIL_EIGHT,
    heldByPolicy: { recipientId: 'ann', decidedAt: loadedAt },
  });
  const spread = (await stopOf({ quietHours: night })) as { delaySeconds: number };
  expect(spread.delaySeconds).toBeGreaterThan(SECONDS_UNTIL_EIGHT);
  expect(spread.delaySeconds).toBeLessThan(SECONDS_UNTIL_EIGHT + 300);
});

it('does what the category says, after consent', async () => {
  const outcomeOf = async (category: Partial<CategoryPolicy>, changes: Changes = {}): Promise<unknown> =>
    await stopOf({ quietHours: night, category: policy(category), ...changes });
  expect(await outcomeOf({ onHold: 'drop' })).toEqual({ kind: 'suppressed', ...kept });
  expect(await outcomeOf({ onHold: 'combine' })).toMatchObject({ kind: 'collected', ...kept, combined: true });
  expect(await outcomeOf({ bypassQuietHours: true })).toMatchObject({ consented: true });
  expect(await outcomeOf({ onHold: 'hold' }, { channelSwitches: { email: false } })).toMatchObject({
    kind: 'suppressed',
    reason: 'opted_out',
  });
});

it('downgrades to the inbox if there is content for it, and holds otherwise', async () => {
  const id = newId();
  const outcomeOf = async (notification: NonNullable<Changes['notification']>): Promise<unknown> =>
    await stopOf({
      quietHours: night,
      category: policy({ onHold: 'downgrade' }),
      notification: { id, ...notification },
    });
  const downgraded = { kind: 'downgraded', ...kept, inAppDeliveryId: inAppDeliveryId(id, 'ann') };
  expect(await outcomeOf({ templateId: 'both' })).toEqual(downgraded);
  expect(await outcomeOf({ content: { subject: 'Hello', text: 'You have mail' } })).toEqual(downgraded);
  expect(await outcomeOf({ templateId: 'email-only' })).toMatchObject({ kind: 'held', ...kept });
  expect(await outcomeOf({ content: { subject: 'Hello', html: '<p>You have mail</p>' } })).toMatchObject({
    kind: 'held',
    ...kept,
  });
  expect(await outcomeOf({ templateId: 'both', channels: ['email', 'in_app'] })).toEqual({
    kind: 'suppressed',
    ...kept,
  });
});

it('downgrades a delivery of a send to a topic into the week of the delivery, not of the notification', async () => {
  const outcome = await stopOf({
    quietHours: night,
    category: policy({ onHold: 'downgrade' }),
    isOfTopic: true,
    notification: { id: lowestId(timeOfId(deliveryId) - 21 * 86_400_000), templateId: 'both' },
  });
  const { inAppDeliveryId: id } = outcome as Extract<Outcome, { kind: 'downgraded' }>;
  expect(timeOfId(id)).toBe(timeOfId(deliveryId));
});
