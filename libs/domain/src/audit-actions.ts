/**
 * The actions in the audit log, with what each says. The names are stable: programs filter by them. docs/audit.md lists
 * them, and a test compares the two.
 */
export const auditActions = {
  'tenant.created': 'The operator created a tenant.',
  'tenant.changed': 'The operator changed the name, status or settings of a tenant.',
  'api_key.created': 'The operator created an API key.',
  'api_key.revoked': 'The operator revoked an API key.',
  'api_key.rotated': 'The operator replaced an API key by a new one. The subject is the old key.',
  'provider_account.created': 'A provider account was added, by a tenant or to the platform.',
  'provider_account.changed': 'A provider account was changed.',
  'provider_account.removed': 'A provider account was removed.',
  'dead_letter.replayed': 'The operator or a tenant put a failed delivery back into the queue.',
  'dead_letter.discarded': 'The operator or a tenant deleted a dead letter.',
  'dead_letters.replayed':
    'The operator or a tenant started a replay of all dead letters that match a filter. The subject is the job.',
  'dead_letters_replay.changed':
    'The operator paused, resumed or stopped a replay, or set its pace. The subject is the job.',
  'webhook.created': 'A tenant created a webhook endpoint.',
  'webhook.changed': 'A tenant changed a webhook endpoint.',
  'webhook.removed': 'A tenant deleted a webhook endpoint.',
  'webhook.secret_rotated': 'A tenant created a new signing secret for a webhook endpoint.',
  'suppression.removed': 'A tenant deleted a suppression, so that the address receives messages again.',
  'recipient.exported': 'A tenant exported the data of a recipient. The subject is a hash of the recipient id.',
  'recipient.erased': 'A tenant erased a recipient. The subject is a hash of the recipient id.',
  'inbox_token.revoked': 'A tenant revoked the inbox tokens of a recipient. The subject is a hash of the recipient id.',
  'category.changed': 'A tenant created or replaced a category.',
  'category.removed': 'A tenant deleted a category.',
  'preference_rules.changed': 'A tenant replaced the default and enforced preferences of its recipients.',
  'schedule.created': 'A tenant created a schedule.',
  'schedule.changed': 'A tenant changed, paused or resumed a schedule.',
  'schedule.removed': 'A tenant deleted a schedule.',
  'console.signed_in': 'Someone signed in to the console. The subject is the session.',
  'console.signed_out': 'Someone signed out of the console. The subject is the session.',
  'template.created': 'A template was created, by a tenant or on the platform.',
  'template.changed': 'A new version of a template was created.',
  'template.removed': 'A template was deleted.',
  'tenant_data.changed':
    "An operator in the console requested another change of a tenant's data or a send. The fields have its route.",
} as const satisfies Readonly<Record<string, string>>;

export type AuditAction = keyof typeof auditActions;
