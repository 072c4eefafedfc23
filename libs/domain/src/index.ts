export { hashSecret, newApiKey, type ParsedKey, parseApiKey } from './api-key.js';
export type { Addressable, AddressSource, Channel, FieldKind } from './channels/define-channel.js';
export { channelIds, channelOf, channels, type ChannelId } from './channels/registry.js';
export { refusal, type Consent } from './consent.js';
export {
  type DeliveryState,
  deliveryStates,
  type FailedReason,
  failedReasons,
  isFinal,
  mayMove,
  type Mover,
  type NotificationStatus,
  notificationStatuses,
  statesBefore,
  type SuppressedReason,
  suppressedReasons,
  type Tally,
  tallyOf,
  type WaitingReason,
  waitingReasons,
} from './delivery-state.js';
export { DomainError, type ErrorCode, errorCatalogue, type Fault, notFound } from './errors.js';
export { isId, newId, PLATFORM_TENANT_ID } from './ids.js';
export { type Lane, laneOf, lanes } from './lanes.js';
export { defaultRecipientLimits, recipientLimit, type RecipientLimits, type SendLimit } from './limits.js';
export { localeChain } from './locale.js';
export {
  type Attempt,
  Halt,
  type InboxRow,
  type Outcome,
  ProviderError,
  type ProviderErrorKind,
  type ReceiptKind,
} from './outcome.js';
export { afterFailure, DEFAULT_RETRY_SCHEDULE_SECONDS, type RetryPosition } from './retry-schedule.js';
export {
  DEFAULT_REQUESTS_PER_MINUTE,
  localeTag,
  type Scope,
  scopes,
  type TenantSettings,
  tenantSettings,
  timezone,
} from './tenant-settings.js';
