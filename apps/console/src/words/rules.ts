/** The setting that decided, as docs/reasons.md has it; a test compares them. */
export const ruleMeanings = {
  'send.scheduled_at': 'the time that the send asks for',
  'send.expires_at': 'the time after which the send must not go out',
  'send.ordering_key': 'an earlier delivery with the same ordering key has not ended',
  'tenant.status': 'the operator has suspended the tenant',
  suppression_list: 'the address is on the suppression list',
  'tenant.enforced': 'an enforced preference of the tenant',
  'category.mandatory': 'the category is mandatory',
  'recipient.preferences': "the recipient's own preferences",
  'tenant.defaults': "the tenant's default preferences",
  'category.default': 'the default of the category',
  'recipient.quiet_hours': "the recipient's own quiet hours",
  'tenant.quiet_hours': "the tenant's default quiet hours",
  'operator.quiet_hours_floor': "the operator's quiet hours for the channel",
  'recipient.caps': "the recipient's own caps",
  'tenant.caps': "the tenant's caps",
  'tenant.quota': "the tenant's deliveries per day or month",
  recipient_limits: 'the limit per recipient and channel',
  'category.digest': 'the category collects items into a digest',
  'recipient.addresses': 'the recipient has no address for the channel',
  template: 'the template, the inline content or the payload',
  'channel.limits': 'the largest message of the channel',
  provider_accounts: 'no provider account can send it',
  'provider_account.allowed': "the platform's account does not allow the sender or the chat channel",
  'provider_account.pace': 'the pace or the connections of the provider account',
  'provider_account.health': 'the provider account is paused or its breaker is open',
  'provider.answer': "the provider's answer",
  retry_schedule: 'the retry schedule',
  'pipeline.capacity': 'the worker has no capacity to render at the moment',
  'pipeline.quarantine': 'the delivery has failed its worker too often',
} as const;

export type Rule = keyof typeof ruleMeanings;

/** A rule that this console does not know is shown as it is. */
export function meaningOfRule(rule: string): string {
  return Object.hasOwn(ruleMeanings, rule) ? ruleMeanings[rule as Rule] : rule;
}
