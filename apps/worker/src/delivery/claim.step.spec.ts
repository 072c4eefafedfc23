import { expect, it } from 'vitest';
import type { ClaimedDelivery } from '#database';
import { channels, type Outcome, StopPipeline } from '#domain';
import { ClaimStep } from './claim.step.js';

const step = new ClaimStep();

const claimed = (changes: Partial<ClaimedDelivery> = {}): ClaimedDelivery => ({
  tenantId: 'tenant',
  deliveryId: 'delivery',
  channel: 'email',
  lane: 2,
  claimId: 'claim',
  claims: 1,
  countedLater: false,
  attempt: 0,
  retries: 0,
  sending: false,
  sendingProvider: null,
  sendingAccountId: null,
  unrecorded: 0,
  rateLimitConsumed: false,
  expired: false,
  triedAccountIds: [],
  paceReserved: false,
  messageKey: '1',
  ordered: false,
  digestId: null,
  waitedFor: null,
  traceparent: null,
  leaseEndsAt: performance.now() + 30_000,
  ...changes,
});

async function outcomeOf(delivery: ClaimedDelivery): Promise<Outcome | null> {
  const result = await step.run(delivery).catch((error: unknown) => error);
  return result instanceof StopPipeline ? result.outcome : null;
}

it('passes on a valid claim with the channel of the delivery', async () => {
  const delivery = claimed();
  expect(await step.run(delivery)).toEqual({ delivery, channel: channels.email });
});

it('stops when the lease is over, without an outcome to record', async () => {
  expect(await outcomeOf(claimed({ leaseEndsAt: performance.now() - 1 }))).toMatchObject({ kind: 'claim_lost' });
});

it('expires a delivery that was never sent, but not one whose outcome is unknown', async () => {
  expect(await outcomeOf(claimed({ expired: true }))).toEqual({ kind: 'expired' });
  expect(await outcomeOf(claimed({ expired: true, sending: true }))).toBeNull();
});

it('fails a delivery on its sixth claim without an attempt', async () => {
  expect(await outcomeOf(claimed({ claims: 5 }))).toBeNull();
  expect(await outcomeOf(claimed({ claims: 6 }))).toMatchObject({ reason: 'poison', code: 'quarantined' });
});

it('fails a delivery that was sent three times without a recorded outcome', async () => {
  expect(await outcomeOf(claimed({ sending: true, unrecorded: 1 }))).toBeNull();
  expect(await outcomeOf(claimed({ sending: true, unrecorded: 2 }))).toMatchObject({
    reason: 'poison',
    code: 'unrecorded',
  });
  expect(await outcomeOf(claimed({ sending: false, unrecorded: 2 }))).toBeNull();
});
