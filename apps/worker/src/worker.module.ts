import { join } from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Config } from '#config';
import {
  Batcher,
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  MailboxStore,
  OperationsStore,
  PostgresListener,
  ProviderAccountsStore,
  SecretBox,
  TemplatesStore,
} from '#database';
import { PLATFORM_TENANT_ID } from '#domain';
import { DirectTransport } from '#messaging';
import { ProviderDirectory } from '#providers';
import { PostgresLimiter } from '#rate-limit';
import { PostgresBus, type RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { ClaimStep } from './delivery/claim.step.js';
import { ConsentStep } from './delivery/consent.step.js';
import { DeliveryConsumer } from './delivery/delivery.consumer.js';
import { LimitStep } from './delivery/limit.step.js';
import { LoadStep } from './delivery/load.step.js';
import { OutcomeSpool } from './delivery/outcome-spool.js';
import { Pipeline } from './delivery/pipeline.js';
import { RecordStep } from './delivery/record.step.js';
import { RenderStep } from './delivery/render.step.js';
import { SendStep } from './delivery/send.step.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { Housekeeper } from './housekeeping/housekeeper.js';
import { BUS, CONFIG, LOGGER, TRANSPORT } from './tokens.js';

export interface WorkerParts {
  config: Config;
  logger: Logger;
  migrationsDirectory: string;
}

/** The whole worker: what it is made of, and from what each part is made. */
@Module({})
export class WorkerModule {
  static register({ config, logger, migrationsDirectory }: WorkerParts): DynamicModule {
    return {
      module: WorkerModule,
      controllers: [DeliveryConsumer],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        // ---- the rooms downstairs
        {
          provide: Database,
          useFactory: () =>
            new Database({
              url: config.databaseUrl,
              poolSize: config.databasePoolSize,
              applicationName: 'carillon-worker',
              onIdleError: (error) => logger.warn({ err: error }, 'a database connection was lost'),
            }),
        },
        { provide: SecretBox, useFactory: () => new SecretBox(config.masterKey) },
        {
          provide: PostgresListener,
          inject: [Database],
          useFactory: (database: Database) =>
            new PostgresListener(database, (error) => logger.warn({ err: error }, 'the listening connection was lost')),
        },
        {
          provide: BUS,
          inject: [PostgresListener],
          useFactory: (listener: PostgresListener) =>
            new PostgresBus(listener, (error) => logger.warn({ err: error }, 'hints were lost')),
        },
        {
          provide: TRANSPORT,
          useFactory: () =>
            new DirectTransport<ClaimedDelivery>(config.concurrency, (error, channel) =>
              logger.error({ err: error, channel }, 'a consumer failed'),
            ),
        },
        {
          provide: DeliveriesStore,
          inject: [Database, BUS],
          useFactory: (database: Database, bus: RealtimeBus) =>
            new DeliveriesStore(database, (rows) => bus.publish(rows.map((row) => ({ kind: 'inbox', ...row })))),
        },
        {
          provide: DueDeliveriesStore,
          inject: [Database],
          useFactory: (database: Database) => new DueDeliveriesStore(database),
        },
        {
          provide: TemplatesStore,
          inject: [Database],
          useFactory: (database: Database) => new TemplatesStore(database),
        },
        { provide: MailboxStore, inject: [Database], useFactory: (database: Database) => new MailboxStore(database) },
        {
          provide: OperationsStore,
          inject: [Database],
          useFactory: (database: Database) => new OperationsStore(database, migrationsDirectory),
        },
        {
          provide: ProviderAccountsStore,
          inject: [Database, SecretBox],
          useFactory: (database: Database, box: SecretBox) => new ProviderAccountsStore(database, box),
        },
        {
          provide: ProviderDirectory,
          inject: [ProviderAccountsStore, MailboxStore, BUS],
          useFactory: (accounts: ProviderAccountsStore, mailbox: MailboxStore, bus: RealtimeBus) => {
            const directory = new ProviderDirectory({
              accounts: (tenantId, channel) => accounts.openAll(tenantId, channel),
              surroundings: {
                deposit: (message) =>
                  mailbox.deposit({ ...message, to: message.to ?? message.recipientId, message: message.content }),
              },
              sandboxFallback: config.sandboxFallback,
            });
            bus.subscribe((hint) => {
              if (hint.kind === 'stale' && hint.what === 'provider_accounts')
                directory.forget(hint.tenantId === PLATFORM_TENANT_ID ? undefined : hint.tenantId);
            });
            bus.onGap(() => directory.forget());
            return directory;
          },
        },
        // ---- the path of a delivery
        { provide: OutcomeSpool, useFactory: () => new OutcomeSpool(join(config.home, 'spool')) },
        {
          provide: Pipeline,
          inject: [Database, DeliveriesStore, DueDeliveriesStore, TemplatesStore, ProviderDirectory, OutcomeSpool],
          useFactory: (
            database: Database,
            deliveries: DeliveriesStore,
            due: DueDeliveriesStore,
            templates: TemplatesStore,
            directory: ProviderDirectory,
            spool: OutcomeSpool,
          ) =>
            new Pipeline({
              claim: new ClaimStep(),
              load: new LoadStep(deliveries, templates),
              consent: new ConsentStep(),
              limit: new LimitStep(
                new PostgresLimiter(
                  database.platform,
                  (flush) => new Batcher({ flush, slots: 2, maxBatch: 500, maxQueue: 100_000 }),
                ),
              ),
              render: new RenderStep(new TemplateRenderer()),
              // A third of the lease to send, a third to record: see LEASE_SECONDS.
              send: new SendStep(due, directory, {
                deadlineMs: (config.leaseSeconds * 1_000) / 3,
                marginMs: (config.leaseSeconds * 1_000) / 3,
              }),
              record: new RecordStep(deliveries, spool, logger),
            }),
        },
        {
          provide: Dispatcher,
          inject: [DueDeliveriesStore, TRANSPORT, PostgresListener, OutcomeSpool, DeliveriesStore],
          useFactory: (
            due: DueDeliveriesStore,
            transport: DirectTransport<ClaimedDelivery>,
            listener: PostgresListener,
            spool: OutcomeSpool,
            deliveries: DeliveriesStore,
          ) => {
            const dispatcher = new Dispatcher(config, due, transport, () => spool.replay(deliveries, logger), logger);
            listener.on('carillon_due', (payload) => dispatcher.wake(payload.split(',')));
            return dispatcher;
          },
        },
        {
          provide: Housekeeper,
          inject: [OperationsStore, MailboxStore],
          useFactory: (operations: OperationsStore, mailbox: MailboxStore) =>
            new Housekeeper(operations, mailbox, logger),
        },
      ],
    };
  }
}
