// The steps of the pipeline that use the database, each on its own: load, limit, send and record.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  AcceptStore,
  AccountPacesStore,
  Batcher,
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  deliveryLimits,
  type NewNotification,
  NotificationsStore,
  QuotasStore,
  ReceiptsStore,
  ReturnPlaces,
  SecretBox,
  SharedContentsStore,
  TemplatesStore,
  WebhookEndpointsStore,
} from '#database';
import { channelOf, newId, type Outcome, StopPipeline } from '#domain';
import { type Account, ConnectionFactory, ProviderDirectory } from '#providers';
import { PostgresLimiter } from '#rate-limit';
import { createLogger } from '#telemetry';
import { cloneDatabase, connect, type SmtpSink, startSmtpSink, until } from '#testing';
import { LoadContent } from '../apps/worker/src/delivery/content/load-content.js';
import { Downgrade } from '../apps/worker/src/delivery/downgrade.js';
import { LimitStep } from '../apps/worker/src/delivery/limit.step.js';
import { LoadStep } from '../apps/worker/src/delivery/load.step.js';
import { OutcomeSpool } from '../apps/worker/src/delivery/outcome-spool.js';
import type { Loaded, Rendered } from '../apps/worker/src/delivery/pipeline-context.js';
import { Places } from '../apps/worker/src/delivery/places.js';
import { RecordStep } from '../apps/worker/src/delivery/record.step.js';
import { AttemptSend } from '../apps/worker/src/delivery/send/attempt-send.js';
import { EndpointHealth } from '../apps/worker/src/delivery/send/endpoint-health.js';
import { NotSent } from '../apps/worker/src/delivery/send/not-sent.js';
import { SendStep } from '../apps/worker/src/delivery/send/send.step.js';
import { Shutdown } from '../apps/worker/src/shutdown.js';
import { newNotification } from './new-notification.js';

const LEASE_SECONDS = 30;
const logger = createLogger({ level: 'fatal', role: 'test' });
const opened: (() => Promise<unknown>)[] = [];

let admin: pg.Client;
let database: Database;
let deliveries: DeliveriesStore;
let due: DueDeliveriesStore;
let receipts: ReceiptsStore;
let smtp: SmtpSink;
let tenantId: string;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  opened.push(clone.drop);
  admin = await connect(clone.url);
  opened.push(() => admin.end());
  database = new Database({ url: clone.url, poolSize: 3 });
  opened.push(() => database.close());
  deliveries = new DeliveriesStore(database, () => undefined);
  due = new DueDeliveriesStore(database);
  receipts = new ReceiptsStore(database);
  smtp = await startSmtpSink();
  opened.push(() => smtp.close());
});
afterAll(async () => {
  for (const close of opened.reverse()) await close();
});
beforeEach(async () => {
  await admin.query('truncate due_deliveries');
  tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  smtp.answerData(null);
});

type NotificationChanges = Partial<NewNotification['notification']> & { address?: string | null };

/** Accepts one e-mail and claims it. */
async function claimOne({
  address = 'ann@example.com',
  ...changes
}: NotificationChanges = {}): Promise<ClaimedDelivery> {
  const delivery = { id: newId(), channel: 'email', address, addressFrom: null } as const;
  const store = new AcceptStore(database, () => undefined);
  await store.accept(newNotification(tenantId, changes, { deliveries: [delivery] }));
  return await claim();
}

async function claim(): Promise<ClaimedDelivery> {
  return await until('the delivery is claimed', async () => {
    const { deliveries: claimed } = await due.claim({
      channel: 'email',
      lane: 2,
      limit: 1,
      claimId: newId(),
      leaseSeconds: LEASE_SECONDS,
      afterTenant: '00000000-0000-0000-0000-000000000000',
      capacities: new Map(),
    });
    return claimed[0];
  });
}

const loadStep = (): LoadStep =>
  new LoadStep(deliveries, new LoadContent(new TemplatesStore(database), new SharedContentsStore(database)), receipts);
const load = (delivery: ClaimedDelivery): Promise<Loaded> => loadStep().run({ delivery, channel: channelOf('email') });
const toRendered = (loaded: Loaded): Rendered => ({
  ...loaded,
  consented: true,
  digest: null,
  limited: true,
  unsubscribe: null,
  message: loaded.content,
});
const stopOf = async (work: Promise<unknown>): Promise<Outcome> => {
  const error = await work.then(
    () => new Error('the step did not stop the pipeline'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof StopPipeline) return error.outcome;
  throw error;
};
const rowOf = async (sql: string, id: string): Promise<Record<string, unknown> | undefined> =>
  (await admin.query(sql, [id])).rows[0];

describe('load', () => {
  it('gives inline content and the address of the send', async () => {
    const loaded = await load(await claimOne());
    expect(loaded).toMatchObject({
      addresses: ['ann@example.com'],
      content: { subject: 'Hello', text: 'Hello' },
      templateVersion: null,
      sharedPayload: null,
    });
  });

  it('fails a delivery whose recipient has no address, or whose template was deleted', async () => {
    expect(await stopOf(load(await claimOne({ address: null })))).toMatchObject({ reason: 'no_address' });
    await admin.query('truncate due_deliveries');
    const gone = await claimOne({ templateId: newId(), content: null });
    expect(await stopOf(load(gone))).toMatchObject({ reason: 'render_error', code: 'unknown_template' });
  });

  it('resolves a send without a recorded outcome by the policy of the channel', async () => {
    const delivery = await claimOne();
    const loaded = await load({ ...delivery, sending: true, attempt: 1 });
    expect(loaded.channel.unknownOutcome).toBe('resend');
    const held = { ...loaded.channel, unknownOutcome: 'hold' } as const;
    const outcome = await stopOf(loadStep().run({ delivery: { ...delivery, sending: true }, channel: held }));
    expect(outcome).toMatchObject({ kind: 'unknown' });
  });

  it('stops when the delivery does not exist', async () => {
    const delivery = await claimOne();
    expect(await stopOf(load({ ...delivery, deliveryId: newId() }))).toMatchObject({ kind: 'claim_lost' });
  });
});

describe('limit', () => {
  it('holds a delivery beyond the limit, and takes one token per delivery', async () => {
    const limiter = new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 10, maxQueue: 100 }),
    );
    const quotas = new QuotasStore(database);
    const step = new LimitStep(
      limiter,
      quotas,
      new ReturnPlaces(limiter, deliveries, due, quotas, () => undefined),
      new Downgrade(new TemplatesStore(database)),
    );
    const loaded = await load(await claimOne());
    const settings = { recipient_limits: { email: { limit: 1, window_seconds: 60 } } };
    const consentedFor = (deliveryId: string, rateLimitConsumed = false) => ({
      ...loaded,
      consented: true as const,
      digest: null,
      delivery: { ...loaded.delivery, deliveryId, rateLimitConsumed },
      context: { ...loaded.context, tenant: { ...loaded.context.tenant, settings } },
    });
    const [first, second] = [newId(), newId()];
    expect(await step.run(consentedFor(first))).toMatchObject({ limited: true });
    expect(await step.run(consentedFor(first))).toMatchObject({ limited: true });
    expect(await stopOf(step.run(consentedFor(second)))).toMatchObject({ kind: 'held', reason: 'recipient_limit' });
    expect(await step.run(consentedFor(second, true))).toMatchObject({ limited: true });
  });
});

describe('places of a run that is not recorded', () => {
  it('come back if the delivery was cancelled meanwhile, and are kept if another worker has it', async () => {
    await admin.query(`update tenants set settings = '{"deliveries_per_day": 9}' where id = $1`, [tenantId]);
    await admin.query(`insert into preferences (tenant_id, recipient_id, caps) values ($1, 'ann', $2)`, [
      tenantId,
      JSON.stringify([{ limit: 1, window_seconds: 60, on_excess: 'hold' }]),
    ]);
    const limiter = new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 10, maxQueue: 100 }),
    );
    const quotas = new QuotasStore(database);
    const returnPlaces = new ReturnPlaces(limiter, deliveries, due, quotas, () => undefined);
    const places = new Places(returnPlaces, quotas, deliveries, logger);
    const step = new LimitStep(limiter, quotas, returnPlaces, new Downgrade(new TemplatesStore(database)));
    const used = async () => (await quotas.usage(tenantId))[0]?.used;
    const startedAt = new Date();
    const loaded = await load(await claimOne({ recipientId: 'ann' }));
    const run = { delivery: loaded.delivery, startedAt, context: loaded.context, isLimited: true };
    const { limits } = deliveryLimits('email', loaded.context, Date.now());
    const remaining = async () => (await limiter.peek({ tenantId, limits }))[0]!.remaining;
    await step.run({ ...loaded, consented: true, digest: null });
    expect([await remaining(), await used()]).toEqual([0, 1]);
    await places.withoutRecord(run);
    // The delivery goes on: it keeps its place in the cap, and the quota counts it again.
    expect([await remaining(), await used()]).toEqual([0, 0]);
    const { id } = loaded.context.notification;
    const cancelled = await new NotificationsStore(database).cancel(tenantId, id);
    await returnPlaces.ofCancelled(tenantId, cancelled!.deliveries);
    expect([await remaining(), await used()]).toEqual([1, 0]);
    await step.run({ ...loaded, consented: true, digest: null });
    expect([await remaining(), await used()]).toEqual([0, 1]);
    await places.withoutRecord(run);
    expect([await remaining(), await used()]).toEqual([1, 0]);
  });
});

/** The send step with these accounts, on the SMTP server of this test unless they name another port. */
function sendStepWith(...accounts: (Partial<Account> & { id: string; port?: number })[]) {
  const directory = new ProviderDirectory({
    accounts: async () =>
      accounts.map(({ port = smtp.port, ...account }) => ({
        tenantId,
        provider: 'smtp',
        channel: 'email',
        credentials: { host: '127.0.0.1', port, tls: 'none', from: 'a@example.com' },
        pacePerSecond: null,
        breaker: 'closed',
        updatedAt: new Date(0),
        ...account,
      })),
    endpoint: async () => null,
    connectionFactory: new ConnectionFactory({
      production: false,
      publicUrl: undefined,
      egressAllowedCidrs: ['127.0.0.0/8'],
      deposit: async () => undefined,
    }),
    deadlineMs: 5_000,
    sandboxFallback: false,
    onHealth: () => undefined,
    onChange: () => undefined,
  });
  opened.push(() => directory.close());
  const shutdown = new Shutdown();
  const endpoints = new WebhookEndpointsStore(database, new SecretBox(Buffer.alloc(32)));
  const config = { leaseSeconds: LEASE_SECONDS };
  const attemptSend = new AttemptSend(due, new EndpointHealth(endpoints, directory), directory, shutdown, config);
  return { step: new SendStep(directory, new AccountPacesStore(database), attemptSend), shutdown, directory };
}

/** No server listens on this port, so connections are refused. */
const REFUSING_PORT = 1;

describe('send', () => {
  it('commits the intent and sends once', async () => {
    const delivery = await claimOne();
    const sent = smtp.log.length;
    const outcome = await sendStepWith({ id: newId() }).step.run(toRendered(await load(delivery)));
    expect(outcome).toMatchObject({ kind: 'sent', attempt: { number: 1, provider: 'smtp', outcome: 'sent' } });
    expect(smtp.log.length - sent).toBe(1);
    expect(
      await rowOf('select sending, attempt from due_deliveries where delivery_id = $1', delivery.deliveryId),
    ).toEqual({ sending: true, attempt: 1 });
  });

  it('sends nothing when the claim was lost', async () => {
    const delivery = await claimOne();
    const sent = smtp.log.length;
    const rendered = toRendered(await load(delivery));
    const lost = { ...rendered, delivery: { ...delivery, claimId: newId() } };
    expect(await stopOf(sendStepWith({ id: newId() }).step.run(lost))).toMatchObject({ kind: 'claim_lost' });
    expect(smtp.log.length).toBe(sent);
  });

  it('sends nothing and commits no intent once the worker is stopping', async () => {
    const delivery = await claimOne();
    const { step, shutdown } = sendStepWith({ id: newId() });
    shutdown.begin();
    await expect(step.run(toRendered(await load(delivery)))).rejects.toBeInstanceOf(NotSent);
    expect(await rowOf('select sending from due_deliveries where delivery_id = $1', delivery.deliveryId)).toEqual({
      sending: false,
    });
  });

  it('fails over to the next account through the queue, and sends through that one', async () => {
    const [down, works] = [newId(), newId()];
    const { step } = sendStepWith({ id: down, port: REFUSING_PORT }, { id: works });
    const delivery = await claimOne();
    const outcome = await step.run(toRendered(await load(delivery)));
    expect(outcome).toMatchObject({ kind: 'retry', weight: 0, triedAccountId: down });
    await deliveries.record(delivery, outcome);
    const again = await claim();
    expect(again.triedAccountIds).toEqual([down]);
    const next = await step.run(toRendered(await load(again)));
    expect(next).toMatchObject({ kind: 'sent', attempt: { number: 2, providerAccountId: works } });
  });

  it('holds a delivery when the only account is paused, and notes the lack of capacity', async () => {
    const { step, directory } = sendStepWith({ id: newId() });
    const rendered = toRendered(await load(await claimOne()));
    await directory.withSenders(
      { tenantId, channel: 'email', isSandboxed: false, endpointId: null },
      async ([sender]) => {
        sender!.pausedUntil = performance.now() + 10_000;
      },
    );
    expect(await step.run(rendered)).toMatchObject({ kind: 'held', reason: 'provider_limit' });
    expect([...directory.tenantCapacity.limitsOf('email').keys()]).toEqual([tenantId]);
  });

  it('holds a delivery until its time in the pace of the account', async () => {
    const { step } = sendStepWith({ id: newId(), pacePerSecond: 0.5 });
    const rendered = toRendered(await load(await claimOne()));
    expect(await step.run(rendered)).toMatchObject({ kind: 'sent' });
    const next = await step.run(rendered);
    expect(next).toMatchObject({ kind: 'held', reason: 'provider_limit', paceReserved: true });
    expect((next as { delaySeconds: number }).delaySeconds).toBeGreaterThan(1);
  });
});

describe('record', () => {
  const attempt = { number: 1, provider: 'smtp', providerAccountId: null, durationMs: 1, code: null, detail: null };
  const accepted = { ...attempt, outcome: 'sent', providerMessageId: 'm' } as const;

  /** A record step on this database, with a spool in a directory of its own. */
  async function recordStepOn(store: DeliveriesStore) {
    const directory = await mkdtemp(join(tmpdir(), 'carillon-record-'));
    opened.push(() => rm(directory, { recursive: true, force: true }));
    const [spool, shutdown] = [new OutcomeSpool(directory, deliveries, logger), new Shutdown()];
    return { step: new RecordStep(store, receipts, spool, shutdown, logger), spool, shutdown };
  }

  it('commits the outcome of a send and ends the delivery', async () => {
    const delivery = await claimOne();
    const number = await due.begin({ delivery, rateLimitConsumed: true, provider: 'sandbox', accountId: null });
    const { step } = await recordStepOn(deliveries);
    await step.run(delivery, { kind: 'sent', attempt: { ...accepted, number: number! }, templateVersion: null });
    expect(await rowOf('select state from deliveries where id = $1', delivery.deliveryId)).toEqual({ state: 'sent' });
    expect(
      await rowOf('select 1 as due from due_deliveries where delivery_id = $1', delivery.deliveryId),
    ).toBeUndefined();
  });

  it('records nothing when the claim was lost', async () => {
    const delivery = await claimOne();
    const { step } = await recordStepOn(deliveries);
    await step.run({ ...delivery, claimId: newId() }, { kind: 'suppressed', reason: 'opted_out' });
    expect(await rowOf('select state from deliveries where id = $1', delivery.deliveryId)).toEqual({
      state: 'waiting',
    });
  });

  it('writes the outcome of a send to the spool when the worker stops during an outage', async () => {
    const delivery = await claimOne();
    const number = await due.begin({ delivery, rateLimitConsumed: true, provider: 'sandbox', accountId: null });
    const away = new Database({ url: 'postgres://127.0.0.1:1/none', poolSize: 1 });
    const { step, spool, shutdown } = await recordStepOn(new DeliveriesStore(away, () => undefined));
    shutdown.begin();
    await step.run(delivery, { kind: 'sent', attempt: { ...accepted, number: number! }, templateVersion: null });
    // An outcome without an attempt is decided again, so it is not kept.
    await expect(step.run(delivery, { kind: 'suppressed', reason: 'opted_out' })).rejects.toThrow();
    await away.close();
    expect(await spool.replay()).toBe(1);
    expect(await rowOf('select state from deliveries where id = $1', delivery.deliveryId)).toEqual({ state: 'sent' });
  });
});
