export { Batcher, type BatcherOptions } from './batcher.js';
export { Database, type DatabaseOptions, isOutage, type PrismaScope, type Sql, type Statement } from './database.js';
export { DatabaseModule } from './database.module.js';
export { AlreadyRunning, type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded-postgres.js';
export { migrate } from './migrate.js';
export type { Page, PageRequest } from './page.js';
export { PostgresListener } from './postgres-listener.js';
export { SecretBox, type SecretPlace } from './secret-box.js';
export { type Acceptance, type Accepted, AcceptStore, type RecipientUpsert } from './stores/accept.store.js';
export { type ApiKey, ApiKeysStore, type KnownKey } from './stores/api-keys.store.js';
export { type DeadLetter, type DeadLetterFilter, DeadLettersStore } from './stores/dead-letters.store.js';
export { DeliveriesStore, type DeliveryContext, type RecipientProfile } from './stores/deliveries.store.js';
export {
  type Claim,
  type ClaimedDelivery,
  type ClaimTicket,
  DueDeliveriesStore,
} from './stores/due-deliveries.store.js';
export { EventsStore, type StoredEvent } from './stores/events.store.js';
export { IdempotencyStore, type StoredResponse } from './stores/idempotency.store.js';
export {
  type InboxChange,
  type InboxCounts,
  type InboxHead,
  type InboxItem,
  InboxStore,
} from './stores/inbox.store.js';
export { type Deposit, type MailboxMessage, MailboxStore } from './stores/mailbox.store.js';
export type { DeliveryRow, Notification, NotificationRow } from './stores/notification.js';
export {
  type NotificationFilter,
  NotificationsStore,
  type NotificationWithDeliveries,
  type TimelineEntry,
} from './stores/notifications.store.js';
export { OperationsStore, type QueueFigures } from './stores/operations.store.js';
export { type PoisonMessageRow, PoisonMessagesStore } from './stores/poison-messages.store.js';
export { type OpenAccount, type ProviderAccount, ProviderAccountsStore } from './stores/provider-accounts.store.js';
export { type RecentSends, RecentSendsStore } from './stores/recent-sends.store.js';
export {
  type Device,
  type Recipient,
  type RecipientAddresses,
  type RecipientFields,
  RecipientsStore,
} from './stores/recipients.store.js';
export {
  type Template,
  type TemplateContent,
  type TemplateHead,
  type TemplateSelector,
  TemplatesStore,
} from './stores/templates.store.js';
export { type Tenant, TenantsStore } from './stores/tenants.store.js';
