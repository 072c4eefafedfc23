// The parts of the send step that need no database: choosing accounts, calling the provider, and the outcomes that
// follow.

import { afterEach, describe, expect, it } from 'vitest';
import { type Attempt, channels, ProviderError, StopPipeline } from '#domain';
import { type Account, BreakerOpen, ConnectionFactory, ProviderDirectory, type Sender } from '#providers';
import type { Addressed, Rendered } from '../pipeline-context.js';
import { callProvider, type ProviderResult } from './call-provider.js';
import { callThroughBreaker } from './call-through-breaker.js';
import { chooseAccounts } from './choose-accounts.js';
import { holdForPace, holdForSlot, holdUntilAvailable } from './hold-send.js';
import { outcomeOfAttempt } from './outcome-of-attempt.js';

const open: ProviderDirectory[] = [];
afterEach(async () => {
  for (const directory of open.splice(0)) await directory.close();
});

/** Senders of the real directory: one sandbox account for each id, in this order. */
async function sendersOf(...ids: string[]): Promise<readonly Sender[]> {
  const account = { tenantId: 't', provider: 'sandbox', channel: 'email', credentials: {}, pacePerSecond: 5 } as const;
  const directory = new ProviderDirectory({
    accounts: async () => ids.map((id): Account => ({ ...account, id, breaker: 'closed', updatedAt: new Date(0) })),
    endpoint: async () => null,
    connectionFactory: new ConnectionFactory({
      production: false,
      publicUrl: undefined,
      egressAllowedCidrs: [],
      deposit: async () => undefined,
    }),
    deadlineMs: 1_000,
    sandboxFallback: true,
    onHealth: () => undefined,
    onChange: () => undefined,
  });
  open.push(directory);
  const target = { tenantId: 't', channel: 'email', isSandboxed: false, endpointId: null } as const;
  return await directory.withSenders(target, async (senders) => senders);
}

const rendered = (changes: { tried?: string[]; addresses?: string[]; endpointId?: string | null } = {}): Rendered =>
  ({
    delivery: { tenantId: 't', deliveryId: 'd', channel: 'email', retries: 0, triedAccountIds: changes.tried ?? [] },
    channel: channels.email,
    addresses: changes.addresses ?? ['ann@example.com'],
    message: { subject: 'Hello', text: 'Hello' },
    unsubscribe: null,
    templateVersion: 3,
    context: {
      notification: { id: 'n', recipientId: 'r', endpointId: changes.endpointId ?? null, expiresAt: null },
      category: null,
      tenant: { settings: {} },
    },
  }) as unknown as Rendered;

/** Opens the breaker of an account: it rejects the credentials. */
async function breakDown({ breaker }: Sender): Promise<void> {
  const fail = breaker.run(() => Promise.reject(new ProviderError('misconfigured', 'wrong key', { code: '401' })));
  await expect(fail).rejects.toThrow('wrong key');
}

const idsOf = (senders: readonly Sender[]): (string | undefined)[] => senders.map(({ account }) => account?.id);

describe('chooseAccounts', () => {
  it('keeps the order of the tenant and puts accounts that refused this delivery out of the round', async () => {
    const senders = await sendersOf('a', 'b', 'c');
    expect(idsOf(chooseAccounts(senders, rendered()).ready)).toEqual(['a', 'b', 'c']);
    expect(idsOf(chooseAccounts(senders, rendered({ tried: ['a'] })).ready)).toEqual(['b', 'c']);
    expect(idsOf(chooseAccounts(senders, rendered({ tried: ['a', 'b', 'c'] })).ready)).toEqual(['a', 'b', 'c']);
  });

  it('leaves out accounts that are paused or whose breaker is open, and keeps them as candidates', async () => {
    const senders = await sendersOf('a', 'b', 'c');
    await breakDown(senders[0]!);
    senders[1]!.pausedUntil = performance.now() + 10_000;
    const { ready, candidates } = chooseAccounts(senders, rendered());
    expect([idsOf(ready), idsOf(candidates)]).toEqual([['c'], ['a', 'b', 'c']]);
  });

  it('puts an account whose sends hang last', async () => {
    const senders = await sendersOf('a', 'b');
    const stalled = {
      ...senders[0]!,
      breaker: Object.create(senders[0]!.breaker, { hangs: { value: { isStalled: true } } }),
    };
    expect(idsOf(chooseAccounts([stalled, senders[1]!], rendered()).ready)).toEqual(['b', 'a']);
  });

  it('fails the delivery when there is no account, or none reaches its address', async () => {
    const reasonOf = (senders: readonly Sender[], delivery: Rendered): unknown => {
      try {
        return chooseAccounts(senders, delivery);
      } catch (error) {
        return (error as StopPipeline).outcome;
      }
    };
    expect(reasonOf([], rendered())).toMatchObject({ kind: 'failed', reason: 'no_provider' });
    expect(reasonOf([], rendered({ endpointId: 'e' }))).toMatchObject({
      detail: 'the endpoint is gone or switched off',
    });
    const [sender] = await sendersOf('a');
    const blind = { ...sender!, reaches: () => false };
    expect(reasonOf([blind], rendered())).toMatchObject({ kind: 'failed', reason: 'no_address' });
    expect(idsOf(chooseAccounts([blind], rendered({ addresses: [] })).ready)).toEqual(['a']);
    const refusing = { ...sender!, choiceFault: () => 'no' };
    expect(reasonOf([refusing], rendered())).toMatchObject({
      kind: 'failed',
      reason: 'sender_not_allowed',
      detail: "the platform's sandbox account refuses the message: no",
    });
  });

  it('leaves out accounts that do not allow the sender of the message, also after they were tried', async () => {
    const [first, second] = await sendersOf('a', 'b');
    const refusing = { ...first!, choiceFault: () => 'no' };
    expect(idsOf(chooseAccounts([refusing, second!], rendered()).ready)).toEqual(['b']);
    expect(idsOf(chooseAccounts([refusing, second!], rendered({ tried: ['b'] })).candidates)).toEqual(['b']);
  });
});

describe('a held delivery', () => {
  it('returns when the first account may send again, with the reason', async () => {
    const senders = await sendersOf('a', 'b');
    await breakDown(senders[0]!);
    const down = holdUntilAvailable([senders[0]!], false);
    expect(down).toMatchObject({ kind: 'held', reason: 'provider_down', rateLimitConsumed: true });
    senders[1]!.pausedUntil = performance.now() + 2_000;
    const paused = holdUntilAvailable(senders, false) as { reason: string; delaySeconds: number };
    expect(paused.reason).toBe('provider_limit');
    expect(paused.delaySeconds).toBeGreaterThan(1.9);
    expect(paused.delaySeconds).toBeLessThan(3);
  });

  it('keeps its reserved time in the pace of the account', async () => {
    const [sender] = await sendersOf('a');
    expect(holdForPace(sender!, 4)).toMatchObject({ reason: 'provider_limit', delaySeconds: 4, paceReserved: true });
    expect(holdForSlot(sender!)).toMatchObject({ reason: 'provider_limit', paceReserved: true });
  });
});

describe('callProvider', () => {
  const answers = async (...answers: (string | ProviderError)[]): Promise<ProviderResult> => {
    const [sender] = await sendersOf('a');
    const addresses = answers.map((_, index) => `address ${index}`);
    const send = async ({ to }: { to: string | null }) => {
      const answer = answers[addresses.indexOf(to!)]!;
      if (answer instanceof ProviderError) throw answer;
      return { messageId: answer };
    };
    const addressed = {
      ...rendered({ addresses }),
      sender: { ...sender!, connection: { send, verify: async () => {} } },
    };
    return await callProvider(addressed, 1, AbortSignal.timeout(1_000));
  };

  it('is accepted when one address accepts', async () => {
    expect(await answers(new ProviderError('rejected', 'no'), 'id')).toMatchObject({ accepted: { messageId: 'id' } });
  });

  it('is refused with the most retryable refusal', async () => {
    const result = await answers(new ProviderError('bad_address', 'gone'), new ProviderError('transient', 'later'));
    expect(result.refused).toMatchObject({ kind: 'transient', message: 'later' });
  });

  it('has an unknown outcome when the provider ignores its deadline or has a bug', async () => {
    const [sender] = await sendersOf('a');
    const call = (send: () => Promise<never>): Promise<ProviderResult> => {
      const connection = { send, verify: async () => {} };
      return callProvider({ ...rendered(), sender: { ...sender!, connection } }, 1, AbortSignal.timeout(10));
    };
    expect((await call(() => new Promise(() => {}))).refused).toMatchObject({ kind: 'unknown', code: 'deadline' });
    expect((await call(() => Promise.reject(new TypeError('x')))).refused).toMatchObject({
      kind: 'unknown',
      code: 'provider_bug',
    });
  });
});

describe('callThroughBreaker', () => {
  const call = (result: ProviderResult) => async () => ({ attempt: 1, durationMs: 5, result });
  const refusedWith = (kind: 'misconfigured' | 'rejected'): ProviderResult => ({
    refused: new ProviderError(kind, 'no', { code: '401' }),
    addressFeedback: {},
  });

  it('returns refusals and counts those that are the account’s fault', async () => {
    const [sender] = await sendersOf('a');
    expect((await callThroughBreaker(sender!, call(refusedWith('rejected')))).result.refused).toMatchObject({
      kind: 'rejected',
    });
    expect(sender!.breaker.state).toBe('closed');
    expect((await callThroughBreaker(sender!, call(refusedWith('misconfigured')))).attempt).toBe(1);
    expect(sender!.breaker.state).toBe('open');
    const later = callThroughBreaker(sender!, () => Promise.reject(new Error('must not run')));
    await expect(later).rejects.toBeInstanceOf(BreakerOpen);
  });

  it('throws what the work throws', async () => {
    const [sender] = await sendersOf('a');
    const stop = new StopPipeline({ kind: 'claim_lost', detail: 'lost' });
    await expect(callThroughBreaker(sender!, () => Promise.reject(stop))).rejects.toBe(stop);
    expect(sender!.breaker.state).toBe('closed');
  });
});

describe('outcomeOfAttempt', () => {
  const attemptOf = (outcome: Attempt['outcome']): Attempt => ({
    number: 1,
    provider: 'sandbox',
    providerAccountId: 'a',
    outcome,
    code: null,
    detail: null,
    providerMessageId: null,
    durationMs: 1,
  });
  const outcomeOf = async (kind: ProviderError['kind'], hasNext: boolean): Promise<unknown> => {
    const [sender] = await sendersOf('a');
    const addressed: Addressed = { ...rendered(), sender: sender! };
    const refused = new ProviderError(kind, 'no');
    return outcomeOfAttempt(addressed, attemptOf(kind), { refused, addressFeedback: {} }, hasNext);
  };

  it('is sent with the template version and the receipt when the provider accepted', async () => {
    const [sender] = await sendersOf('a');
    const accepted = { messageId: 'm', receipt: 'delivered' } as const;
    const outcome = outcomeOfAttempt(
      { ...rendered(), sender: sender! },
      attemptOf('sent'),
      { accepted, addressFeedback: { goneDevices: ['x'] } },
      true,
    );
    expect(outcome).toMatchObject({ kind: 'sent', templateVersion: 3, receipt: 'delivered', goneDevices: ['x'] });
  });

  it('fails over to the next account at once, unless the message may have been sent or was rejected', async () => {
    const failOver = { kind: 'retry', reason: 'provider_down', delaySeconds: 0, weight: 0, triedAccountId: 'a' };
    expect(await outcomeOf('transient', true)).toMatchObject(failOver);
    expect(await outcomeOf('throttled', true)).toMatchObject(failOver);
    expect(await outcomeOf('misconfigured', true)).toMatchObject(failOver);
    expect(await outcomeOf('unknown', true)).not.toHaveProperty('triedAccountId');
    expect(await outcomeOf('rejected', true)).toMatchObject({ kind: 'failed', reason: 'rejected' });
  });

  it('uses the retry schedule when no other account is ready', async () => {
    expect(await outcomeOf('transient', false)).toMatchObject({ kind: 'retry', weight: 1 });
  });
});
