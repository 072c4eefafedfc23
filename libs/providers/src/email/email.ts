// The e-mail that providers convert to the format of their vendor.

import addressparser from 'nodemailer/lib/addressparser';
import { z } from 'zod';
import { ProviderError } from '#domain';
import type { ProviderMessage } from '../define-provider.js';
import type { SenderChoice } from '../sender-choice.js';

/** RFC 5321, section 4.5.3.1.3: a path of 256 octets with its angle brackets. */
const MAX_ADDRESS = 254;

export interface Email {
  from: string;
  to: string;
  replyTo: string | undefined;
  subject: string;
  html: string | undefined;
  /** The template's text, or text generated from the html. */
  text: string;
  /** Headers for which vendors have no field of their own. */
  headers: Record<string, string>;
}

/** The `from` of an account's credentials. */
export const sender = z.string().min(3).max(320).meta({ description: 'The sender: an address, or "Name <address>"' });

/** A template may name its sender. `reply_to` is free: it is not an identity, and the tenant reads the replies. */
export const fromOfContent: SenderChoice<{ from: string }> = {
  list: 'allowed_from',
  chosen: ({ content }) => (content['from'] as string | undefined) || null,
  own: ({ from }) => from,
};

/** The e-mail of a delivery. `to` is exactly one address: it was parsed strictly when the delivery was accepted. */
export function emailOf(message: ProviderMessage, from: string): Email {
  const content = message.content as {
    subject: string;
    html?: string;
    text: string;
    from?: string;
    reply_to?: string;
  };
  checkSender(content.from || from, content.from ? 'rejected' : 'misconfigured');
  return {
    from: content.from || from,
    to: message.to!,
    replyTo: content.reply_to || undefined,
    subject: content.subject,
    html: content.html,
    text: content.text,
    headers: { 'Auto-Submitted': 'auto-generated', ...unsubscribeHeaders(message) },
  };
}

/** One-click unsubscribe (RFC 8058) and the list's id (RFC 2919). */
function unsubscribeHeaders({ unsubscribe }: ProviderMessage): Record<string, string> {
  if (!unsubscribe) return {};
  return {
    'List-ID': `<${unsubscribe.listId}>`,
    'List-Unsubscribe': `<${unsubscribe.url}>`,
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  };
}

function checkSender(from: string, kind: 'rejected' | 'misconfigured'): void {
  const [first, ...others] = addressparser(from, { flatten: true });
  if (first && others.length === 0 && first.address.includes('@') && first.address.length <= MAX_ADDRESS) return;
  const got = JSON.stringify(from.slice(0, 80));
  throw new ProviderError(
    kind,
    `from must be one address of at most ${MAX_ADDRESS} characters, optionally as "Name <address>", got ${got}`,
    { code: 'bad_sender' },
  );
}

/** Parses `Name <address>`; the first of several addresses. nodemailer's parser takes linear time for any text. */
export function partsOf(text: string): { address: string; name: string | undefined } {
  const [first] = addressparser(text, { flatten: true });
  return { address: first?.address || text.trim(), name: first?.name || undefined };
}
