export { Batcher, type BatcherOptions } from './batcher.js';
export { LoginsNotCreated } from './create-logins.js';
export { COMMIT_GRACE_MS, Database, type DatabaseOptions, type PrismaScope } from './database.js';
export { DatabaseModule } from './database.module.js';
export type { Check, Finding } from './doctor/check.js';
export { counterChecks } from './doctor/counter-checks.js';
export { migrationCheck, rightsAndPartitionsChecks, secretsCheck } from './doctor/platform-checks.js';
export { queueChecks } from './doctor/queue-checks.js';
export { derivedLogins } from './logins.js';
export { mergePatch } from './merge-patch.js';
export { MigrationFailed, migrate } from './migrate.js';
export { databaseFault, isOutage, isUnanswered, isUnavailable, timeoutOf, unavailableOf } from './outage.js';
export type { Page, PageRequest } from './page.js';
export { PostgresListener } from './postgres-listener.js';
export { PlatformKeys } from './secrets/platform-keys.js';
export { countSealed, type RewrapProgress, rewrapSecrets, type SealedCount } from './secrets/rewrap-secrets.js';
export { sealedColumns } from './secrets/sealed-columns.js';
export { SecretBox, type SecretPlace, WrongMasterKey } from './secrets/secret-box.js';
export { ServerTooOld } from './server-version.js';
export type { Sql, Statement } from './statement.js';
export { type ApiKey, ApiKeysStore, type DescribedKey, type KeyHash, type KnownKey } from './stores/api-keys.store.js';
export { type AuditEntry, type AuditFilter, AuditStore } from './stores/audit/audit.store.js';
export type { AuditNote } from './stores/audit/audit-entry.js';
export { type BacklogFigures, BacklogFiguresStore } from './stores/backlog-figures.store.js';
export { CategoriesStore, type Category, type CategoryFields } from './stores/categories.store.js';
export { AuditRetentionStore } from './stores/clean-up/audit-retention.store.js';
export type { CleanUp } from './stores/clean-up/clean-up.js';
export { ExpiredRowsStore } from './stores/clean-up/expired-rows.store.js';
export { PartitionsStore } from './stores/clean-up/partitions.store.js';
export { RetentionStore } from './stores/clean-up/retention.store.js';
export { COMPARABLE_ADDRESS } from './stores/comparable-address.js';
export {
  ConsoleSessionsStore,
  type KnownSession,
  type NewSession,
  SESSION_HOURS,
} from './stores/console/console-sessions.store.js';
export { ErasuresStore } from './stores/erasure/erasures.store.js';
export { RecipientExportStore } from './stores/export/recipient-export.store.js';
export { IdempotencyStore, type StoredResponse } from './stores/idempotency.store.js';
export { InboxStore } from './stores/inbox.store.js';
export type { InboxChange, InboxCounts, InboxHead, InboxItem } from './stores/inbox-item.js';
export type { ChunkResult, Job, JobError, LockedJob } from './stores/jobs/job.js';
export { JobLinesStore, type RejectedLine, type StagedLine } from './stores/jobs/job-lines.store.js';
export { JobsStore } from './stores/jobs/jobs.store.js';
export { CHUNK_ITEMS, ChunkFailed, RunningJobsStore } from './stores/jobs/running-jobs.store.js';
export {
  deleteWaitingLines,
  endLines,
  type NewlyRejectedLine,
  nextLines,
  type UploadLine,
} from './stores/jobs/upload-lines.js';
export { type Deposit, type MailboxMessage, MailboxStore } from './stores/mailbox.store.js';
export type { Cancellation, CancelledDelivery } from './stores/notifications/cancel-notification.js';
export type { NotificationFilter } from './stores/notifications/notification-list.js';
export type { NotificationWithDeliveries } from './stores/notifications/notification-select.js';
export { type DeliveryWithTimeline, NotificationsStore } from './stores/notifications/notifications.store.js';
export { PlannedDeliveriesStore } from './stores/notifications/planned-deliveries.store.js';
export type { DeliveryFilter } from './stores/notifications/search/delivery-filter.js';
export { DeliverySearchStore, type SearchPage } from './stores/notifications/search/delivery-search.store.js';
export type { FoundDelivery } from './stores/notifications/search/search-statement.js';
export { OperationsStore } from './stores/operations.store.js';
export { OverviewStore } from './stores/overview.store.js';
export { type PreferenceRules, PreferenceRulesStore } from './stores/preferences/preference-rules.store.js';
export { type RecipientChoices, RecipientChoicesStore } from './stores/preferences/recipient-choices.store.js';
export type { AccountHealth, OpenAccount, ProviderAccount, ProviderAccountFields } from './stores/provider-account.js';
export { ProviderAccountsStore } from './stores/provider-accounts.store.js';
export type { ClaimedDelivery, ClaimTicket } from './stores/queue/claimed-delivery.js';
export {
  type Claim,
  type ClaimRequest,
  DueDeliveriesStore,
} from './stores/queue/due-deliveries.store.js';
export { PolicyChangesStore } from './stores/queue/policy-changes.store.js';
export { type ChannelFigures, type QueueFigures, QueueFiguresStore } from './stores/queue/queue-figures.store.js';
export { MergeRecipientsStore } from './stores/recipients/merge-recipients.store.js';
export type {
  Device,
  Preferences,
  Recipient,
  RecipientAddresses,
  RecipientFields,
} from './stores/recipients/recipient.js';
export {
  type MergeOutcome,
  type MergeRefusal,
  mergeResults,
  type RecipientMerge,
} from './stores/recipients/recipient-merge.js';
export { RecipientsStore } from './stores/recipients/recipients.store.js';
export { type DueSchedule, DueSchedulesStore, type ScheduleProgress } from './stores/schedules/due-schedules.store.js';
export {
  type MisfirePolicy,
  misfirePolicies,
  type Schedule,
  type ScheduledNotification,
  type ScheduleFields,
  type SchedulePosition,
  scheduleStates,
} from './stores/schedules/schedule.js';
export { SchedulesStore } from './stores/schedules/schedules.store.js';
export { AcceptStore, type StoreResult } from './stores/sending/accept.store.js';
export {
  type DeadLetter,
  DeadLettersStore,
  type JobReplay,
  type LetterCount,
} from './stores/sending/dead-letters/dead-letters.store.js';
export type { DeadLetterFilter } from './stores/sending/dead-letters/letter-conditions.js';
export { DeliveriesStore } from './stores/sending/deliveries.store.js';
export type { DeliveryContext, RecipientProfile } from './stores/sending/delivery-context.js';
export type { ClosedDigest } from './stores/sending/digests/digest-statements.js';
export { DigestsStore } from './stores/sending/digests/digests.store.js';
export {
  type EventEndpoint,
  eventNotificationId,
  newEventNotification,
  wants,
} from './stores/sending/event-notification.js';
export { EVENTS_KEPT_DAYS, EventsStore, type StoredEvent, type TracedEvent } from './stores/sending/events.store.js';
export { type FirstAnswer, FirstAnswersStore } from './stores/sending/first-answers.store.js';
export { AccountPacesStore } from './stores/sending/limits/account-paces.store.js';
export { type DeliveryLimits, deliveryLimits } from './stores/sending/limits/delivery-limits.js';
export { QuotasStore, type QuotaUsage, type QuotaWarning } from './stores/sending/limits/quotas.store.js';
export { type RecentSends, RecentSendsStore } from './stores/sending/limits/recent-sends.store.js';
export { earliestCount, ReturnPlaces } from './stores/sending/limits/return-places.js';
export { type NewNotification, toNewNotification } from './stores/sending/new-notification.js';
export type { DeliveryRow, Notification, NotificationRow } from './stores/sending/notification.js';
export { type PoisonMessageRow, PoisonMessagesStore } from './stores/sending/poison-messages.store.js';
export type { DeliveryReceipt, ReceiptResult } from './stores/sending/receipts/delivery-receipt.js';
export { ReceiptsStore } from './stores/sending/receipts.store.js';
export {
  type SharedContent,
  SharedContentsStore,
  type StoredSharedContent,
} from './stores/sending/shared-contents.store.js';
export { CountDeliveriesStore } from './stores/statistics/count-deliveries.store.js';
export { LATENCY_CLASS, percentile } from './stores/statistics/latency-classes.js';
export {
  type LatencyRow,
  type Statistics,
  type StatisticsQuery,
  type StatisticsRow,
  StatisticsStore,
  statisticsIntervals,
} from './stores/statistics/statistics.store.js';
export { type Suppression, type SuppressionFilter, SuppressionsStore } from './stores/suppressions.store.js';
export { KnownTemplates } from './stores/templates/known-templates.js';
export {
  type NewVersion,
  type Template,
  type TemplateContent,
  type TemplateHead,
  type TemplatePlace,
  type TemplateSelector,
  type TemplateVersion,
  type VersionKey,
  versionKey,
} from './stores/templates/template.js';
export { type StoredVersion, TemplateVersionsStore } from './stores/templates/template-versions.store.js';
export { type TemplateFilter, TemplatesStore, type TemplateWrite } from './stores/templates/templates.store.js';
export { type KnownTenant, type Tenant, TenantsStore } from './stores/tenants.store.js';
export { revocationKey, TokenRevocationsStore } from './stores/token-revocations.store.js';
export { cancelTopicSend, expandTopicSend } from './stores/topics/expand-topic.js';
export { type NewSubscriptions, SubscriptionsStore } from './stores/topics/subscriptions.store.js';
export type { Subscription, Topic, TopicFields } from './stores/topics/topic.js';
export { type NewTopicSend, type TopicSendPart, toTopicSend } from './stores/topics/topic-send.js';
export { TopicSendsStore } from './stores/topics/topic-sends.store.js';
export { TopicsStore } from './stores/topics/topics.store.js';
export type { ListeningEndpoint, WebhookEndpoint, WebhookEndpointFields } from './stores/webhook-endpoint.js';
export { WebhookEndpointsStore } from './stores/webhook-endpoints.store.js';
