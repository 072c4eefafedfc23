import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { Database, type DatabaseOptions } from './database.js';
import { PostgresListener } from './postgres-listener.js';
import { PlatformKeys } from './secrets/platform-keys.js';
import { SecretBox } from './secrets/secret-box.js';
import { ApiKeysStore } from './stores/api-keys.store.js';
import { AuditStore } from './stores/audit/audit.store.js';
import { BacklogFiguresStore } from './stores/backlog-figures.store.js';
import { CategoriesStore } from './stores/categories.store.js';
import { ExpiredRowsStore } from './stores/clean-up/expired-rows.store.js';
import { PartitionsStore } from './stores/clean-up/partitions.store.js';
import { ConsoleSessionsStore } from './stores/console/console-sessions.store.js';
import { ErasuresStore } from './stores/erasure/erasures.store.js';
import { RecipientExportStore } from './stores/export/recipient-export.store.js';
import { IdempotencyStore } from './stores/idempotency.store.js';
import { InboxStore } from './stores/inbox.store.js';
import { JobLinesStore } from './stores/jobs/job-lines.store.js';
import { JobsStore } from './stores/jobs/jobs.store.js';
import { RunningJobsStore } from './stores/jobs/running-jobs.store.js';
import { MailboxStore } from './stores/mailbox.store.js';
import { NotificationsStore } from './stores/notifications/notifications.store.js';
import { PlannedDeliveriesStore } from './stores/notifications/planned-deliveries.store.js';
import { DeliverySearchStore } from './stores/notifications/search/delivery-search.store.js';
import { OperationsStore } from './stores/operations.store.js';
import { OverviewStore } from './stores/overview.store.js';
import { PreferenceRulesStore } from './stores/preferences/preference-rules.store.js';
import { RecipientChoicesStore } from './stores/preferences/recipient-choices.store.js';
import { ProviderAccountsStore } from './stores/provider-accounts.store.js';
import { DueDeliveriesStore } from './stores/queue/due-deliveries.store.js';
import { PolicyChangesStore } from './stores/queue/policy-changes.store.js';
import { QueueFiguresStore } from './stores/queue/queue-figures.store.js';
import { MergeRecipientsStore } from './stores/recipients/merge-recipients.store.js';
import { RecipientsStore } from './stores/recipients/recipients.store.js';
import { DueSchedulesStore } from './stores/schedules/due-schedules.store.js';
import { SchedulesStore } from './stores/schedules/schedules.store.js';
import { DigestsStore } from './stores/sending/digests/digests.store.js';
import { EventsStore } from './stores/sending/events.store.js';
import { FirstAnswersStore } from './stores/sending/first-answers.store.js';
import { QuotasStore } from './stores/sending/limits/quotas.store.js';
import { PoisonMessagesStore } from './stores/sending/poison-messages.store.js';
import { ReceiptsStore } from './stores/sending/receipts.store.js';
import { SharedContentsStore } from './stores/sending/shared-contents.store.js';
import { CountDeliveriesStore } from './stores/statistics/count-deliveries.store.js';
import { StatisticsStore } from './stores/statistics/statistics.store.js';
import { SuppressionsStore } from './stores/suppressions.store.js';
import { TemplateVersionsStore } from './stores/templates/template-versions.store.js';
import { TemplatesStore } from './stores/templates/templates.store.js';
import { TenantsStore } from './stores/tenants.store.js';
import { TokenRevocationsStore } from './stores/token-revocations.store.js';
import { SubscriptionsStore } from './stores/topics/subscriptions.store.js';
import { TopicSendsStore } from './stores/topics/topic-sends.store.js';
import { TopicsStore } from './stores/topics/topics.store.js';
import { WebhookEndpointsStore } from './stores/webhook-endpoints.store.js';

export interface DatabaseModuleOptions extends Omit<DatabaseOptions, 'onIdleError'> {
  /** Seals and opens secrets. 32 bytes. */
  masterKey: Buffer;
  /** Only open secrets. */
  previousMasterKeys: readonly Buffer[];
  migrationsDirectory: string;
  /** Called when a connection is lost; reconnecting is automatic. */
  onFault: (error: Error, what: string) => void;
}

/**
 * Provides the pools, the listener, the secret box and all stores that need nothing else. Stores that call back after
 * their commit (accept, deliveries, dead letters) are provided by the app, which has the callbacks.
 */
@Module({})
export class DatabaseModule {
  static register(options: DatabaseModuleOptions): DynamicModule {
    const { masterKey, previousMasterKeys, migrationsDirectory, onFault, ...database } = options;
    const onIdleError = (error: Error): void => onFault(error, 'a database connection was lost');
    const onListenerFault = (error: Error): void => onFault(error, 'the listening connection was lost');
    const providers: Provider[] = [
      { provide: Database, useFactory: () => new Database({ ...database, onIdleError }) },
      { provide: SecretBox, useFactory: () => new SecretBox(masterKey, previousMasterKeys) },
      of(PostgresListener, [Database], (database: Database) => new PostgresListener(database, onListenerFault)),
      of(OperationsStore, [Database], (database: Database) => new OperationsStore(database, migrationsDirectory)),
      ...sealingStores.map((Store) =>
        of(Store, [Database, SecretBox], (database: Database, box: SecretBox) => new Store(database, box)),
      ),
      ...keyedStores.map((Store) =>
        of(Store, [Database, PlatformKeys], (database: Database, keys: PlatformKeys) => new Store(database, keys)),
      ),
      of(
        ErasuresStore,
        [Database, SecretBox, PlatformKeys],
        (database: Database, box: SecretBox, keys: PlatformKeys) => new ErasuresStore(database, box, keys),
      ),
      ...plainStores.map((Store) => of(Store, [Database], (database: Database) => new Store(database))),
    ];
    return { module: DatabaseModule, global: true, providers, exports: providers };
  }
}

const keyedStores = [PlannedDeliveriesStore, RecipientExportStore, SuppressionsStore];

const sealingStores = [IdempotencyStore, PlatformKeys, ProviderAccountsStore, WebhookEndpointsStore];

const plainStores = [
  ApiKeysStore,
  AuditStore,
  CategoriesStore,
  ConsoleSessionsStore,
  CountDeliveriesStore,
  DigestsStore,
  DueDeliveriesStore,
  DueSchedulesStore,
  EventsStore,
  FirstAnswersStore,
  ExpiredRowsStore,
  InboxStore,
  JobLinesStore,
  JobsStore,
  MailboxStore,
  MergeRecipientsStore,
  NotificationsStore,
  DeliverySearchStore,
  OverviewStore,
  PartitionsStore,
  PoisonMessagesStore,
  PreferenceRulesStore,
  BacklogFiguresStore,
  QueueFiguresStore,
  QuotasStore,
  PolicyChangesStore,
  ReceiptsStore,
  RecipientChoicesStore,
  RecipientsStore,
  RunningJobsStore,
  SchedulesStore,
  SharedContentsStore,
  StatisticsStore,
  SubscriptionsStore,
  TemplatesStore,
  TemplateVersionsStore,
  TenantsStore,
  TokenRevocationsStore,
  TopicSendsStore,
  TopicsStore,
];

function of<Parts extends unknown[], Made>(
  provide: new (...parts: never[]) => Made,
  inject: unknown[],
  useFactory: (...parts: Parts) => Made,
): Provider {
  return { provide, inject: inject as never[], useFactory: useFactory as never };
}
