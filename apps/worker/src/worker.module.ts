import { join } from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Config } from '#config';
import {
  AcceptStore,
  type ClaimedDelivery,
  Database,
  DatabaseModule,
  DeliveriesStore,
  DueDeliveriesStore,
  EventsStore,
  ExpiredRowsStore,
  MailboxStore,
  OperationsStore,
  PartitionsStore,
  PoisonMessagesStore,
  PostgresListener,
  ProviderAccountsStore,
  QueueFiguresStore,
  ReceiptsStore,
  RetentionStore,
  SecretBox,
  SharedContentsStore,
  TemplatesStore,
  WebhookEndpointsStore,
} from '#database';
import type { ChannelId } from '#domain';
import { type DeliveryTransport, DirectTransport, EventStream, type Kafka, KafkaTransport } from '#messaging';
import { type Capacity, ProviderDirectory } from '#providers';
import { makeBus, type RealtimeBus } from '#realtime';
import type { Redis } from '#redis';
import { instruments, type Logger } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { DeliveryConsumer } from './delivery/delivery.consumer.js';
import { LockedAccounts } from './delivery/locked-accounts.js';
import { makeDirectory } from './delivery/make-directory.js';
import { makePipeline } from './delivery/make-pipeline.js';
import { OutcomeSpool } from './delivery/outcome-spool.js';
import { Pipeline } from './delivery/pipeline.js';
import { ReleaseClaim } from './delivery/release-claim.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import { toBroker } from './events/event-publishers.js';
import { Relay, type RelayOptions } from './events/relay.js';
import { WebhookFanOut } from './events/webhook-fan-out.js';
import { Housekeeper } from './housekeeping/housekeeper.js';
import { BUS, LOGGER, RELAYS, STOPPING, TRANSPORT } from './tokens.js';

export interface WorkerParts {
  config: Config;
  logger: Logger;
  migrationsDirectory: string;
  /** Undefined where there is none: limits and hints then go through Postgres. */
  redis: Redis | undefined;
  /** Undefined where there is none: deliveries are then handed over within the process, and no events are written. */
  kafka: Kafka | undefined;
}

/** A worker that was killed holds its partitions for a lease, within what brokers allow (six seconds) and patience does. */
const [SHORTEST_SESSION_SECONDS, LONGEST_SESSION_SECONDS] = [6, 10];

/** The whole worker: what it is made of, and from what each part is made. */
@Module({})
export class WorkerModule {
  static register({ config, logger, migrationsDirectory, redis, kafka }: WorkerParts): DynamicModule {
    const warn = (error: Error, what: string): void => logger.warn({ err: error }, what);
    return {
      module: WorkerModule,
      imports: [
        DatabaseModule.register({
          url: config.databaseUrl,
          poolSize: config.databasePoolSize,
          applicationName: 'carillon-worker',
          masterKey: config.masterKey,
          events: config.kafka !== undefined,
          migrationsDirectory,
          onFault: warn,
        }),
      ],
      controllers: [DeliveryConsumer],
      providers: [
        { provide: LOGGER, useValue: logger },
        { provide: STOPPING, useFactory: () => new AbortController() },
        { provide: LockedAccounts, useFactory: () => new LockedAccounts() },
        {
          provide: ReleaseClaim,
          inject: [DueDeliveriesStore, LockedAccounts, STOPPING],
          useFactory: (due: DueDeliveriesStore, locked: LockedAccounts, { signal }: AbortController) =>
            new ReleaseClaim(due, locked, signal, logger),
        },
        {
          provide: BUS,
          inject: [PostgresListener],
          useFactory: (listener: PostgresListener) =>
            makeBus(redis, listener, (error) => warn(error, 'hints were lost')),
        },
        {
          provide: TRANSPORT,
          inject: [DueDeliveriesStore, PoisonMessagesStore],
          useFactory: (due: DueDeliveriesStore, poison: PoisonMessagesStore): DeliveryTransport<ClaimedDelivery> =>
            kafka
              ? new KafkaTransport<ClaimedDelivery>({
                  kafka,
                  prefix: config.kafka!.prefix,
                  partitions: config.kafka!.partitions,
                  channels: config.workerChannels,
                  concurrency: config.concurrency,
                  sessionMs:
                    1_000 * Math.min(LONGEST_SESSION_SECONDS, Math.max(SHORTEST_SESSION_SECONDS, config.leaseSeconds)),
                  confirm: (tickets) => due.confirm(tickets, config.leaseSeconds),
                  notePoison: (message) => poison.note(message),
                  onFault: warn,
                })
              : new DirectTransport<ClaimedDelivery>(config.concurrency, (error, channel) =>
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
          provide: ProviderDirectory,
          inject: [ProviderAccountsStore, WebhookEndpointsStore, MailboxStore, BUS],
          useFactory: (
            accounts: ProviderAccountsStore,
            endpoints: WebhookEndpointsStore,
            mailbox: MailboxStore,
            bus: RealtimeBus,
          ) => makeDirectory(config, accounts, endpoints, mailbox, bus, logger),
        },
        {
          provide: TemplateRenderer,
          useFactory: () => {
            const renderer = new TemplateRenderer({
              threads: config.renderThreads,
              onRender: (how) => instruments().renders.add(1, { app: 'worker', how }),
            });
            instruments().gauge('carillon_renders_waiting', 'Templates that wait for a render thread', async () => [
              { value: renderer.waiting, attributes: { app: 'worker' } },
            ]);
            return renderer;
          },
        },
        {
          provide: OutcomeSpool,
          inject: [DeliveriesStore],
          useFactory: (deliveries: DeliveriesStore) => new OutcomeSpool(join(config.home, 'spool'), deliveries, logger),
        },
        {
          provide: Pipeline,
          inject: [
            Database,
            DeliveriesStore,
            DueDeliveriesStore,
            ReceiptsStore,
            SharedContentsStore,
            TemplatesStore,
            ProviderDirectory,
            OutcomeSpool,
            SecretBox,
            WebhookEndpointsStore,
            STOPPING,
            TemplateRenderer,
          ],
          useFactory: (
            database: Database,
            deliveries: DeliveriesStore,
            due: DueDeliveriesStore,
            receipts: ReceiptsStore,
            sharedContents: SharedContentsStore,
            templates: TemplatesStore,
            directory: ProviderDirectory,
            spool: OutcomeSpool,
            box: SecretBox,
            endpoints: WebhookEndpointsStore,
            stopping: AbortController,
            renderer: TemplateRenderer,
          ) =>
            makePipeline({
              config,
              logger,
              redis,
              database,
              deliveries,
              due,
              receipts,
              sharedContents,
              templates,
              directory,
              endpoints,
              renderer,
              spool,
              unsubscribeKey: box.derive('unsubscribe'),
              stopping: stopping.signal,
            }),
        },
        {
          provide: Dispatcher,
          inject: [DueDeliveriesStore, TRANSPORT, PostgresListener, OutcomeSpool, ProviderDirectory, LockedAccounts],
          useFactory: (
            due: DueDeliveriesStore,
            transport: DeliveryTransport<ClaimedDelivery>,
            listener: PostgresListener,
            spool: OutcomeSpool,
            { tenantCapacity }: ProviderDirectory,
            locked: LockedAccounts,
          ) => {
            const places = (channel: ChannelId): ReadonlyMap<string, Capacity> =>
              new Map([...tenantCapacity.limitsOf(channel), ...locked.of(channel)]);
            const recover = (): Promise<unknown> => spool.replay();
            const dispatcher = new Dispatcher(config, due, transport, places, recover, logger);
            listener.on('carillon_due', (payload) => dispatcher.wake(payload.split(',')));
            return dispatcher;
          },
        },
        {
          provide: RELAYS,
          inject: [EventsStore, WebhookEndpointsStore, Database, Dispatcher, PostgresListener],
          useFactory: (
            events: EventsStore,
            endpoints: WebhookEndpointsStore,
            database: Database,
            dispatcher: Dispatcher,
            listener: PostgresListener,
          ) => {
            const accept = new AcceptStore(database, (lanes) => dispatcher.wake(lanes));
            const relay = (options: RelayOptions): Relay => new Relay(options, listener, logger);
            const fanOut = new WebhookFanOut({ events, endpoints, accept }, logger);
            const relays = [relay({ name: 'carillon_webhooks', publishBatch: () => fanOut.turn() })];
            if (kafka) {
              const stream = new EventStream({ kafka, ...config.kafka! });
              instruments().gauge(
                'carillon_events_oldest_seconds',
                'Age of the oldest event that is not published',
                async () => [{ value: await events.oldestSeconds().catch(() => 0), attributes: {} }],
              );
              const close = () => stream.close();
              relays.push(relay({ name: 'carillon_event_relay', publishBatch: toBroker(events, stream), close }));
            }
            return relays;
          },
        },
        {
          provide: RetentionStore,
          inject: [Database, PartitionsStore],
          useFactory: (database: Database, partitions: PartitionsStore) =>
            new RetentionStore(database, partitions, config.retentionDays),
        },
        {
          provide: Housekeeper,
          inject: [
            DueDeliveriesStore,
            EventsStore,
            OperationsStore,
            PartitionsStore,
            QueueFiguresStore,
            MailboxStore,
            ReceiptsStore,
            RetentionStore,
            ExpiredRowsStore,
            OutcomeSpool,
            PostgresListener,
          ],
          useFactory: (
            due: DueDeliveriesStore,
            events: EventsStore,
            operations: OperationsStore,
            partitions: PartitionsStore,
            queue: QueueFiguresStore,
            mailbox: MailboxStore,
            receipts: ReceiptsStore,
            retention: RetentionStore,
            expired: ExpiredRowsStore,
            spool: OutcomeSpool,
            listener: PostgresListener,
          ) =>
            new Housekeeper(
              { due, events, operations, partitions, queue, mailbox, receipts, retention, expired, spool },
              config.workerChannels,
              listener,
              logger,
            ),
        },
      ],
    };
  }
}
