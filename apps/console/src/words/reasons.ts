/** The meaning of a reason, and the advice for a person. */
export interface ReasonText {
  meaning: string;
  advice: string;
}

type Texts = Readonly<Record<string, ReasonText>>;

const waiting: Texts = {
  scheduled: {
    meaning: '`scheduled_at` has not come',
    advice: 'nothing',
  },
  quiet_hours: {
    meaning: 'the recipient, the tenant or the operator has quiet hours now; it leaves when they end',
    advice: 'nothing; a category with `bypass_quiet_hours` is not held',
  },
  ordering: {
    meaning: 'an earlier delivery with the same `ordering_key` has not ended',
    advice: 'look at that delivery; `due_at` is null',
  },
  recipient_limit: {
    meaning: 'the recipient had as many messages on this channel as `recipient_limits` allows',
    advice: 'nothing, or ask the operator for another limit',
  },
  frequency_cap: {
    meaning: 'a cap of the recipient or the tenant is reached',
    advice: 'nothing, or change the cap or `on_cap` of the category',
  },
  quota: {
    meaning: 'the tenant had as many deliveries as its quota allows in this day or month',
    advice: 'ask the operator for a larger quota',
  },
  digest: {
    meaning: 'the category collects it; it is sent with other items of the recipient',
    advice: 'nothing',
  },
  provider_limit: {
    meaning: 'the provider asked to wait, the pace of the account is reached, or its connections are busy',
    advice: 'nothing, or add another account',
  },
  retry: {
    meaning: 'an attempt failed and the next one is later; or too many messages wait to be rendered',
    advice: 'look at the attempts in the timeline',
  },
  provider_down: {
    meaning: 'no account works at the moment, or another account is used next',
    advice: 'look at the health of the provider accounts',
  },
};

const suppressed: Texts = {
  opted_out: {
    meaning: 'the recipient has switched the channel off, or it is off by default',
    advice: 'nothing: it is a choice',
  },
  unsubscribed: {
    meaning: 'the recipient has unsubscribed from the category, or it is off by default',
    advice: 'nothing: it is a choice',
  },
  tenant_rule: {
    meaning: 'an enforced rule of the tenant forbids the channel or the category',
    advice: 'change the rule if it is wrong',
  },
  suppression_list: {
    meaning: 'the address is on the suppression list',
    advice: 'remove the entry if the address works again',
  },
  frequency_cap: {
    meaning: 'a cap is reached, and says to drop or to move the message to the inbox',
    advice: 'change `on_excess` of the cap or `on_cap` of the category',
  },
  quiet_hours: {
    meaning: 'it fell into quiet hours, and the category says to drop it or to move it to the inbox',
    advice: 'change `on_hold` of the category',
  },
  tenant_suspended: {
    meaning: 'the operator has suspended the tenant',
    advice: 'ask the operator',
  },
};

const failed: Texts = {
  no_address: {
    meaning: 'the recipient has no address for the channel, or no account reaches an address of this kind',
    advice: 'add the address, then replay',
  },
  bad_address: {
    meaning: 'the provider rejected the address permanently; it is on the suppression list now',
    advice: 'correct the address',
  },
  render_error: {
    meaning: 'the template or the shared content does not exist any more, or does not render with this payload',
    advice: 'correct the template or the payload',
  },
  rejected: {
    meaning: 'the provider refused the message, or it is larger than the channel allows',
    advice: 'read `detail` in the timeline',
  },
  misconfigured: {
    meaning: 'the provider account does not work, and was not repaired for about twelve hours',
    advice: 'correct the account, then replay',
  },
  retries_exhausted: {
    meaning: 'all attempts of the retry schedule failed',
    advice: 'replay when the provider works again',
  },
  no_provider: {
    meaning: 'neither the tenant nor the platform has an account for the channel, or the webhook endpoint is gone',
    advice: 'add an account, then replay',
  },
  sender_not_allowed: {
    meaning: 'no account of the platform allows the sender or chat channel',
    advice: 'use your own account, or an allowed sender',
  },
  poison: {
    meaning: 'its worker crashed, hung or met a bug each time, or its outcome could never be recorded',
    advice: 'report it with the log lines of the delivery',
  },
};

/** The texts of docs/reasons.md; a test compares them. `frequency_cap` and `quiet_hours` hold or suppress. */
export const reasonTexts = { waiting, suppressed, failed };

/** Null for a delivery without a reason, and for one that this console does not know. */
export function reasonText(reason: string | null, isWaiting: boolean): ReasonText | null {
  if (reason === null) return null;
  const [first, ...others] = isWaiting ? [waiting, suppressed, failed] : [suppressed, failed, waiting];
  return [first!, ...others].find((texts) => reason in texts)?.[reason] ?? null;
}
