/** Why a delivery failed, and what to do: the words of docs/reasons.md. */
export const failedReasons = {
  no_address: {
    title: 'No address',
    meaning: 'The recipient has no address for the channel, or no account reaches an address of this kind.',
    advice: 'Add the address, then replay.',
  },
  bad_address: {
    title: 'Bad address',
    meaning: 'The provider rejected the address permanently. It is on the suppression list now.',
    advice: 'Correct the address, and remove the suppression if it was wrong.',
  },
  render_error: {
    title: 'Not rendered',
    meaning: 'The template or the content does not exist any more, or does not render with this payload.',
    advice: 'Correct the template or the payload.',
  },
  rejected: {
    title: 'Rejected',
    meaning: 'The provider refused the message, or it is larger than the channel allows.',
    advice: "Read the provider's words below.",
  },
  misconfigured: {
    title: 'Account does not work',
    meaning: 'The provider account does not work, and was not repaired for about twelve hours.',
    advice: 'Correct the account, then replay.',
  },
  retries_exhausted: {
    title: 'All attempts failed',
    meaning: 'All attempts of the retry schedule failed.',
    advice: 'Replay when the provider works again.',
  },
  no_provider: {
    title: 'No provider',
    meaning: 'There is no account for the channel, or the webhook endpoint is gone.',
    advice: 'Add an account, then replay.',
  },
  sender_not_allowed: {
    title: 'Sender not allowed',
    meaning: 'No account of the platform allows the sender or chat channel.',
    advice: 'Use an account of the tenant, or an allowed sender.',
  },
  poison: {
    title: 'Processing failed',
    meaning: 'Its worker crashed, hung or met a bug each time, or its outcome could never be recorded.',
    advice: 'Report it with the log lines of the delivery.',
  },
} as const;

export type FailedReason = keyof typeof failedReasons;
