// Decisions about the address and the content of a delivery, without I/O. The worker and explain use them.

import { type Channel, type MessageLimits, messageFaultOf } from './channels/define-channel.js';
import { localeChain } from './locale.js';
import type { Outcome } from './outcome.js';

type Failure = Extract<Outcome, { kind: 'failed' }>;

interface Profile {
  email: string | null;
  phone: string | null;
  devices: readonly { token: string }[];
}

/** The addresses of a delivery: the one given with the send, or else those of the profile. */
export function addressesFor(channel: Channel, given: string | null, recipient: Profile | null): readonly string[] {
  if (given !== null) return [given];
  return recipient ? channel.addressesOf(recipient) : [];
}

/** The failure of a delivery without an address, on a channel that needs one. */
export function missingAddress({ id }: Pick<Channel, 'id'>, recipientId: string): Failure {
  const detail = `recipient ${JSON.stringify(recipientId)} has no ${id} address any more`;
  return { kind: 'failed', reason: 'no_address', rule: 'recipient.addresses', code: null, detail };
}

/**
 * Of the templates that a template id or key selects, the one for the recipient. A template id has one locale, a key
 * may have several. Falls back to any locale when none of the chain matches.
 */
export function templateFor<Head extends { locale: string }>(
  heads: readonly Head[],
  recipientLocale: string | null,
  tenantLocale: string | null,
): Head | undefined {
  const chain = localeChain(recipientLocale, tenantLocale);
  return chain.flatMap((locale) => heads.filter((found) => found.locale === locale))[0] ?? heads[0];
}

export function missingTemplate({ id }: Pick<Channel, 'id'>, idOrKey: string): Failure {
  const detail = `there is no template ${JSON.stringify(idOrKey)} for ${id} any more`;
  return { kind: 'failed', reason: 'render_error', rule: 'template', code: 'unknown_template', detail };
}

/** The variables that a template gets beside the payload, which wins over them. */
export function addedVariables(
  recipientId: string,
  recipient: { attributes: Record<string, unknown>; locale: string | null } | null,
  unsubscribeUrl: string | null,
): Record<string, unknown> {
  return {
    recipient: { id: recipientId, ...recipient?.attributes, locale: recipient?.locale ?? null },
    ...(unsubscribeUrl !== null && { unsubscribe_url: unsubscribeUrl }),
  };
}

/** The failure of a template that does not render. */
export function renderFailure(detail: string): Failure {
  return { kind: 'failed', reason: 'render_error', rule: 'template', code: 'render_error', detail };
}

/** The failure of a message that is larger than its channel allows; null if it is not. */
export function tooLargeFailure(
  channel: Channel,
  message: Readonly<Record<string, unknown>>,
  limits: MessageLimits,
): Failure | null {
  const detail = messageFaultOf(channel, message, limits);
  return detail === null
    ? null
    : { kind: 'failed', reason: 'rejected', rule: 'channel.limits', code: 'too_long', detail };
}
