import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE, Reflector } from '@nestjs/core';
import type { Config } from '#config';
import {
  AcceptStore,
  ApiKeysStore,
  Database,
  DeadLettersStore,
  IdempotencyStore,
  InboxStore,
  MailboxStore,
  NotificationsStore,
  OperationsStore,
  PostgresListener,
  ProviderAccountsStore,
  RecipientsStore,
  SecretBox,
  TemplatesStore,
  TenantsStore,
} from '#database';
import { PostgresBus, type RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { HealthController } from './health/health.controller.js';
import { AccessGuard } from './http/access.guard.js';
import { Authenticator } from './http/authenticator.js';
import { InboxTokens } from './http/inbox-tokens.js';
import { ProblemFilter } from './http/problem.filter.js';
import { RequestSchemaPipe } from './http/request-schema.pipe.js';
import { InboxController } from './inbox/inbox.controller.js';
import { InboxGateway } from './inbox/inbox.gateway.js';
import { StreamHub } from './inbox/stream-hub.js';
import { DeadLettersController } from './internal/dead-letters.controller.js';
import { PlatformProviderAccountsController } from './internal/platform-provider-accounts.controller.js';
import { TenantsController } from './internal/tenants.controller.js';
import { MailboxController } from './mailbox/mailbox.controller.js';
import { AcceptNotification } from './notifications/accept-notification.js';
import { DeliveriesController } from './notifications/deliveries.controller.js';
import { DueAnnouncer } from './notifications/due-announcer.js';
import { NotificationsController } from './notifications/notifications.controller.js';
import { ManageProviderAccounts } from './provider-accounts/manage-provider-accounts.js';
import { ProviderAccountsController } from './provider-accounts/provider-accounts.controller.js';
import { RecipientsController } from './recipients/recipients.controller.js';
import { TemplatesController } from './templates/templates.controller.js';
import { BUS, CONFIG, LOGGER } from './tokens.js';

export interface ApiParts {
  config: Config;
  logger: Logger;
  migrationsDirectory: string;
}

/** The whole API: its routes, and from what each part is made. */
@Module({})
export class ApiModule {
  static register({ config, logger, migrationsDirectory }: ApiParts): DynamicModule {
    return {
      module: ApiModule,
      controllers: [
        NotificationsController,
        DeliveriesController,
        RecipientsController,
        TemplatesController,
        ProviderAccountsController,
        MailboxController,
        InboxController,
        TenantsController,
        DeadLettersController,
        PlatformProviderAccountsController,
        HealthController,
      ],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        // ---- what every request passes
        {
          provide: APP_GUARD,
          inject: [Reflector, Authenticator, InboxTokens],
          useFactory: (reflector: Reflector, authenticator: Authenticator, tokens: InboxTokens) =>
            new AccessGuard(reflector, authenticator, tokens, config.adminToken),
        },
        { provide: APP_PIPE, useClass: RequestSchemaPipe },
        { provide: APP_FILTER, useFactory: () => new ProblemFilter(logger) },
        { provide: 'api key pepper', inject: [SecretBox], useFactory: (box: SecretBox) => box.derive('api-keys') },
        {
          provide: InboxTokens,
          inject: [SecretBox],
          useFactory: (box: SecretBox) => new InboxTokens(box.derive('inbox-tokens')),
        },
        {
          provide: Authenticator,
          inject: [ApiKeysStore, 'api key pepper', BUS],
          useFactory: (keys: ApiKeysStore, pepper: Buffer, bus: RealtimeBus) => {
            const authenticator = new Authenticator(keys, pepper);
            bus.subscribe((hint) => {
              if (hint.kind === 'stale' && hint.what === 'tenant') authenticator.forget(hint.tenantId);
            });
            bus.onGap(() => authenticator.forget());
            return authenticator;
          },
        },
        // ---- decisions
        {
          provide: AcceptNotification,
          inject: [AcceptStore, RecipientsStore, TemplatesStore, TemplateRenderer],
          useFactory: (
            store: AcceptStore,
            recipients: RecipientsStore,
            templates: TemplatesStore,
            renderer: TemplateRenderer,
          ) => new AcceptNotification(store, recipients, templates, renderer),
        },
        {
          provide: DueAnnouncer,
          inject: [PostgresListener],
          useFactory: (listener: PostgresListener) =>
            new DueAnnouncer(listener, (error) =>
              logger.debug({ err: error }, 'a wake-up was lost; the poll finds it'),
            ),
        },
        {
          provide: ManageProviderAccounts,
          inject: [ProviderAccountsStore, BUS],
          useFactory: (store: ProviderAccountsStore, bus: RealtimeBus) => new ManageProviderAccounts(store, bus),
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
        // ---- the rooms downstairs
        {
          provide: Database,
          useFactory: () =>
            new Database({
              url: config.databaseUrl,
              poolSize: config.databasePoolSize,
              applicationName: 'carillon-api',
              onIdleError: (error) => logger.warn({ err: error }, 'a database connection was lost'),
            }),
        },
        { provide: SecretBox, useFactory: () => new SecretBox(config.masterKey) },
        { provide: TemplateRenderer, useFactory: () => new TemplateRenderer() },
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
        {
          provide: ProviderAccountsStore,
          inject: [Database, SecretBox],
          useFactory: (database: Database, box: SecretBox) => new ProviderAccountsStore(database, box),
        },
        {
          provide: OperationsStore,
          inject: [Database],
          useFactory: (database: Database) => new OperationsStore(database, migrationsDirectory),
        },
        ...[
          ApiKeysStore,
          IdempotencyStore,
          InboxStore,
          MailboxStore,
          NotificationsStore,
          RecipientsStore,
          TemplatesStore,
          TenantsStore,
        ].map((Store) => ({
          provide: Store,
          inject: [Database],
          useFactory: (database: Database) => new Store(database),
        })),
      ],
    };
  }
}
