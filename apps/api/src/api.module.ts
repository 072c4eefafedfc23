import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE, Reflector } from '@nestjs/core';
import type { Config } from '#config';
import {
  AcceptStore,
  ApiKeysStore,
  Database,
  DatabaseModule,
  DeadLettersStore,
  EventsStore,
  InboxStore,
  NotificationsStore,
  PoisonMessagesStore,
  PostgresListener,
  ProviderAccountsStore,
  ReceiptsStore,
  RecipientsStore,
  SecretBox,
  SharedContentsStore,
  TemplatesStore,
  TenantsStore,
  WebhookEndpointsStore,
} from '#database';
import { type Kafka, RequestStream } from '#messaging';
import { ConnectionFactory } from '#providers';
import { RequestLimit, SharedRequestLimit } from '#rate-limit';
import { makeBus, type RealtimeBus } from '#realtime';
import type { Redis } from '#redis';
import { instruments, type Logger } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { CategoriesController } from './categories/categories.controller.js';
import { HealthController } from './health/health.controller.js';
import { AccessGuard } from './http/access.guard.js';
import { Authenticator } from './http/authenticator.js';
import { AuthorizeRequest } from './http/authorize-request.js';
import { InboxTokens } from './http/inbox-tokens.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RequestSchemaPipe } from './http/request-schema.pipe.js';
import { InboxController } from './inbox/inbox.controller.js';
import { InboxGateway } from './inbox/inbox.gateway.js';
import { StreamHub } from './inbox/stream-hub.js';
import { DeadLettersController } from './internal/dead-letters.controller.js';
import { OverviewController } from './internal/overview.controller.js';
import { PlatformProviderAccountsController } from './internal/platform-provider-accounts.controller.js';
import { PoisonMessagesController } from './internal/poison-messages.controller.js';
import { TenantsController } from './internal/tenants.controller.js';
import { MailboxController } from './mailbox/mailbox.controller.js';
import { AcceptNotification } from './notifications/accept-notification.js';
import { DeliveriesController } from './notifications/deliveries.controller.js';
import { DueAnnouncer } from './notifications/due-announcer.js';
import { NotificationsController } from './notifications/notifications.controller.js';
import { ManageProviderAccounts } from './provider-accounts/manage-provider-accounts.js';
import { ProviderAccountsController } from './provider-accounts/provider-accounts.controller.js';
import { ReceiptsController } from './receipts/receipts.controller.js';
import { TakeReceipts } from './receipts/take-receipts.js';
import { RecipientsController } from './recipients/recipients.controller.js';
import { RequestIntake } from './requests/request-intake.js';
import { SuppressionsController } from './suppressions/suppressions.controller.js';
import { TemplatesController } from './templates/templates.controller.js';
import { BUS, PEPPER, REDIS, UNSUBSCRIBE_KEY } from './tokens.js';
import { UnsubscribeController } from './unsubscribe/unsubscribe.controller.js';
import { ManageWebhooks } from './webhooks/manage-webhooks.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';

export interface ApiParts {
  config: Config;
  logger: Logger;
  migrationsDirectory: string;
  /** Undefined where there is none: limits are then kept by each process, and hints go through Postgres. */
  redis: Redis | undefined;
  /** Undefined unless requests are taken from their topic. */
  kafka: Kafka | undefined;
}

/** The whole API: its routes, and from what each part is made. */
@Module({})
export class ApiModule {
  static register({ config, logger, migrationsDirectory, redis, kafka }: ApiParts): DynamicModule {
    const warn = (error: Error, what: string): void => logger.warn({ err: error }, what);
    const requests = redis
      ? new SharedRequestLimit(redis, (error) => warn(error, 'a request limit was kept by this process alone'))
      : new RequestLimit();
    return {
      module: ApiModule,
      imports: [
        DatabaseModule.register({
          url: config.databaseUrl,
          poolSize: config.databasePoolSize,
          applicationName: 'carillon-api',
          masterKey: config.masterKey,
          events: config.kafka !== undefined,
          migrationsDirectory,
          onFault: warn,
        }),
      ],
      controllers: [
        NotificationsController,
        DeliveriesController,
        RecipientsController,
        TemplatesController,
        ProviderAccountsController,
        CategoriesController,
        SuppressionsController,
        WebhooksController,
        ReceiptsController,
        UnsubscribeController,
        MailboxController,
        InboxController,
        TenantsController,
        DeadLettersController,
        PlatformProviderAccountsController,
        PoisonMessagesController,
        OverviewController,
        HealthController,
      ],
      providers: [
        { provide: REDIS, useValue: redis },
        // ---- what every request passes
        {
          provide: APP_GUARD,
          inject: [Reflector],
          useFactory: (reflector: Reflector) => new AccessGuard(reflector),
        },
        {
          provide: AuthorizeRequest,
          inject: [Authenticator, InboxTokens],
          useFactory: (authenticator: Authenticator, tokens: InboxTokens) =>
            new AuthorizeRequest(authenticator, tokens, config.adminToken),
        },
        { provide: APP_PIPE, useClass: RequestSchemaPipe },
        { provide: APP_FILTER, useFactory: () => new ProblemFilter(logger) },
        {
          provide: Authenticator,
          inject: [ApiKeysStore, PEPPER, BUS],
          useFactory: (keys: ApiKeysStore, pepper: Buffer, bus: RealtimeBus) =>
            new Authenticator(keys, pepper, bus, requests),
        },
        { provide: PEPPER, inject: [SecretBox], useFactory: (box: SecretBox) => box.derive('api-keys') },
        { provide: UNSUBSCRIBE_KEY, inject: [SecretBox], useFactory: (box: SecretBox) => box.derive('unsubscribe') },
        {
          provide: InboxTokens,
          inject: [SecretBox],
          useFactory: (box: SecretBox) => new InboxTokens(box.derive('inbox-tokens')),
        },
        // ---- use cases
        {
          provide: AcceptNotification,
          inject: [AcceptStore, SharedContentsStore, RecipientsStore, TemplatesStore, TemplateRenderer],
          useFactory: (
            store: AcceptStore,
            shared: SharedContentsStore,
            recipients: RecipientsStore,
            templates: TemplatesStore,
            renderer: TemplateRenderer,
          ) => new AcceptNotification(store, shared, recipients, templates, renderer, logger),
        },
        {
          provide: ManageProviderAccounts,
          inject: [ProviderAccountsStore, BUS, ConnectionFactory],
          useFactory: (store: ProviderAccountsStore, bus: RealtimeBus, connectionFactory: ConnectionFactory) =>
            new ManageProviderAccounts(store, bus, connectionFactory),
        },
        {
          provide: ManageWebhooks,
          inject: [
            WebhookEndpointsStore,
            EventsStore,
            NotificationsStore,
            DeadLettersStore,
            AcceptStore,
            BUS,
            ConnectionFactory,
          ],
          useFactory: (
            endpoints: WebhookEndpointsStore,
            events: EventsStore,
            notifications: NotificationsStore,
            letters: DeadLettersStore,
            accept: AcceptStore,
            bus: RealtimeBus,
            connectionFactory: ConnectionFactory,
          ) =>
            new ManageWebhooks(
              { endpoints, events, notifications, letters, accept },
              bus,
              connectionFactory,
              config.webhookEndpointsPerTenant,
            ),
        },
        {
          provide: TakeReceipts,
          inject: [ProviderAccountsStore, ReceiptsStore, ConnectionFactory, BUS],
          useFactory: (
            accounts: ProviderAccountsStore,
            receipts: ReceiptsStore,
            connectionFactory: ConnectionFactory,
            bus: RealtimeBus,
          ) => new TakeReceipts(accounts, receipts, connectionFactory, bus, config.publicUrl, logger),
        },
        {
          provide: ConnectionFactory,
          // The API verifies accounts and reads receipts; it sends nothing, so nothing is ever deposited.
          useFactory: () =>
            new ConnectionFactory({ ...config, deposit: () => Promise.reject(new Error('the API does not send')) }),
        },
        {
          provide: TemplateRenderer,
          useFactory: () => {
            const renderer = new TemplateRenderer({
              threads: config.renderThreads,
              onRender: (how) => instruments().renders.add(1, { app: 'api', how }),
            });
            instruments().gauge('carillon_renders_waiting', 'Templates that wait for a render thread', async () => [
              { value: renderer.waiting, attributes: { app: 'api' } },
            ]);
            return renderer;
          },
        },
        ...(kafka
          ? [
              {
                provide: RequestStream,
                inject: [Authenticator, AcceptNotification, PoisonMessagesStore],
                useFactory: (authenticator: Authenticator, accept: AcceptNotification, poison: PoisonMessagesStore) => {
                  const intake = new RequestIntake(authenticator, accept);
                  return new RequestStream({
                    kafka,
                    prefix: config.kafka!.prefix,
                    partitions: config.kafka!.partitions,
                    handle: (request) => intake.handle(request),
                    notePoison: (message) => poison.note(message),
                    onFault: warn,
                  });
                },
              },
            ]
          : []),
        // ---- live
        {
          provide: BUS,
          inject: [PostgresListener],
          useFactory: (listener: PostgresListener) =>
            makeBus(redis, listener, (error) => warn(error, 'hints were lost')),
        },
        {
          provide: StreamHub,
          inject: [InboxStore, BUS],
          useFactory: (inbox: InboxStore, bus: RealtimeBus) => new StreamHub(inbox, bus, logger),
        },
        {
          provide: InboxGateway,
          inject: [StreamHub, InboxStore, InboxTokens, TenantsStore],
          useFactory: (hub: StreamHub, inbox: InboxStore, tokens: InboxTokens, tenants: TenantsStore) =>
            new InboxGateway(hub, inbox, tokens, tenants, logger),
        },
        // ---- stores that wake the workers after their commit
        {
          provide: DueAnnouncer,
          inject: [PostgresListener],
          useFactory: (listener: PostgresListener) =>
            new DueAnnouncer(listener, (error) =>
              logger.debug({ err: error }, 'a wake-up was lost; the poll finds it'),
            ),
        },
        {
          provide: AcceptStore,
          inject: [Database, DueAnnouncer],
          useFactory: (database: Database, announcer: DueAnnouncer) =>
            new AcceptStore(database, (lanes) => announcer.announce(lanes)),
        },
        {
          provide: DeadLettersStore,
          inject: [Database, DueAnnouncer],
          useFactory: (database: Database, announcer: DueAnnouncer) =>
            new DeadLettersStore(database, (lanes) => announcer.announce(lanes)),
        },
      ],
    };
  }
}
