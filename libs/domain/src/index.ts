export { apiKeyText, hashSecret, newApiKey, newKeyParts, type ParsedKey, parseApiKey } from './access/api-key.js';
export { IpRanges, isIpAddress, isIpRange } from './access/ip-ranges.js';
export { type PreferenceLink, readPreferenceLink, signPreferenceLink } from './access/preference-link.js';
export { hasRole, type Role, roleFor, roles, scopesOf } from './access/roles.js';
export { SECURITY_HEADERS } from './access/security-headers.js';
export { readUnsubscription, signUnsubscription, type Unsubscription } from './access/unsubscribe-token.js';
export { type DecidingRule, decidingRules } from './audience/deciding-rules.js';
export {
  type Collected,
  type Collecting,
  type DigestDue,
  decideDigest,
  mayJoinDigest,
  nextLocalTime,
} from './audience/digest.js';
export { inAppContent, inAppDeliveryId, inlineContentFor } from './audience/downgrade.js';
export {
  DEFAULT_CATEGORY,
  type EffectiveCategory,
  type EffectiveChoice,
  effectiveCategory,
  effectivePreferences,
  type KnownCategory,
  type PreferenceSources,
} from './audience/effective-preferences.js';
export { type JobKindName, type JobState, jobKinds, jobStates, operatorJobKinds } from './audience/job.js';
export { atLocalTime, FIRST_ZONE, localTime, localTimeAt } from './audience/local-time.js';
export {
  type Cap,
  type CategoryPolicy,
  caps,
  type DigestPolicy,
  digestPolicy,
  type ExcessPolicy,
  excessPolicies,
  type HoldPolicy,
  holdPolicies,
  type QuietHours,
  quietHours,
  weekdays,
} from './audience/policies.js';
export { decideQuietHours, type QuietDecision, releaseTime } from './audience/quiet-hours.js';
export { type Quota, type QuotaPeriod, quotaDetail, quotaPeriods, quotasOf, quotaWarnings } from './audience/quotas.js';
export {
  type DeliveryLimit,
  type KeyedLimit,
  type LimitFacts,
  limitsOf,
  refusingLimit,
} from './audience/recipient-limits.js';
export {
  attributesTooLarge,
  MAX_ATTRIBUTES_BYTES,
  MAX_DEVICES,
  tooManyCategories,
  tooManyDevices,
} from './audience/recipient-size.js';
export {
  exdates,
  lastLocalOf,
  type NextOccurrence,
  nextOccurrence,
  type Occurrence,
  type Recurrence,
  ruleFault,
  searchOccurrences,
} from './audience/recurrence.js';
export { readRecurrenceRule } from './audience/recurrence-rule.js';
export { firstTimezone, timezone } from './audience/timezone.js';
export { type AuditAction, auditActions } from './audit-actions.js';
export { atMost } from './caches/cache-size.js';
export {
  type Addressable,
  type AddressSource,
  type Channel,
  type FieldKind,
  messageFaultOf,
  type SendLimit,
} from './channels/define-channel.js';
export { emailAddress } from './channels/email.channel.js';
export { MAX_DEVICE_TOKEN_BYTES } from './channels/push.channel.js';
export { type ChannelId, channelIds, channelOf, channels } from './channels/registry.js';
export { phoneNumber } from './channels/sms.channel.js';
export { cleanJson, cleanText } from './clean-text.js';
export {
  type CategoryChoices,
  type CategoryPreference,
  type Consent,
  type ConsentDecision,
  type ConsentRule,
  choicesFor,
  comparableAddress,
  decideConsent,
  isRecipientsChoice,
  MAX_PREFERENCE_CATEGORIES,
  type PreferenceSet,
  refusedByConsent,
  type SuppressionReason,
  suppressionReasons,
} from './consent.js';
export {
  addedVariables,
  addressesFor,
  missingAddress,
  missingTemplate,
  renderFailure,
  templateFor,
  tooLargeFailure,
} from './delivery-content.js';
export {
  counterOf,
  type DeliveryState,
  deliveryStates,
  type FailedReason,
  failedReasons,
  isFinal,
  isStored,
  type Mover,
  mayMove,
  type NotificationCounter,
  type NotificationStatus,
  notificationCounters,
  notificationStatuses,
  type SuppressedReason,
  statesBefore,
  suppressedReasons,
  type WaitingReason,
  waitingReasons,
} from './delivery-state.js';
export {
  DomainError,
  type ErrorCode,
  errorCatalogue,
  type FieldError,
  itemErrorsOf,
  notFound,
  validationFailed,
} from './errors.js';
export {
  deliveryEvent,
  deliveryEventTypes,
  type EventType,
  eventTypes,
  inboxItemRead,
  notificationFinished,
} from './events.js';
export { fnv1a } from './hash.js';
export { derivedId, idDaysAfter, isId, lowestId, NIL_ID, newId, PLATFORM_TENANT_ID, timeOfId } from './ids.js';
export { type LaneNumber, laneName, laneOf } from './lanes.js';
export { type RecipientLimits, recipientLimit } from './limits.js';
export { localeChain } from './locale.js';
export {
  type AddressFeedback,
  type Attempt,
  type InboxRow,
  type Outcome,
  ProviderError,
  type ProviderErrorKind,
  type ReceiptKind,
  receiptKinds,
  StopPipeline,
} from './outcome.js';
export { reducedOutcome } from './reduced-outcome.js';
export {
  afterFailure,
  DEFAULT_RETRY_SCHEDULE_SECONDS,
  failedBy,
  type RetryPosition,
  WEBHOOK_RETRY_SCHEDULE_SECONDS,
} from './retry-schedule.js';
export {
  addressNeeded,
  channelsOf,
  noAddressErrors,
  type RecipientPart,
  type RecipientUpsert,
  recipientIdOf,
  type SharedPart,
} from './send-request.js';
export { MOST_SMS_SEGMENTS, type SmsSegments, smsSegments } from './sms-segments.js';
export {
  type IncludedPart,
  type Includes,
  type PartialUse,
  type PartialUses,
  type TemplateKind,
  templateKinds,
} from './template-includes.js';
export {
  DEFAULT_RECIPIENT_REQUESTS_PER_MINUTE,
  DEFAULT_REQUESTS_PER_MINUTE,
  localeTag,
  type Scope,
  scopes,
  type TenantSettings,
  tenantSettings,
} from './tenant-settings.js';
export { validationMessage, wholeNumber } from './validation/validation-message.js';
