/** Short names for groups and lists. `reasonText` says what each means. */
export const failedReasons = {
  no_address: 'No address',
  bad_address: 'Bad address',
  render_error: 'Not rendered',
  rejected: 'Rejected',
  misconfigured: 'Account does not work',
  retries_exhausted: 'All attempts failed',
  no_provider: 'No provider',
  sender_not_allowed: 'Sender not allowed',
  poison: 'Processing failed',
} as const;

export type FailedReason = keyof typeof failedReasons;
