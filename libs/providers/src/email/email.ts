// What an e-mail is, before a vendor's API gives it another shape.

import { convert } from 'html-to-text';
import { z } from 'zod';
import type { ProviderMessage } from '../define-provider.js';

export interface Email {
  from: string;
  to: string;
  replyTo: string | undefined;
  subject: string;
  html: string | undefined;
  /** The given one, or one made from the html. */
  text: string;
  /** Beyond those that every vendor has a field for. */
  headers: Record<string, string>;
}

/** The `from` of an account's credentials. */
export const sender = z.string().min(3).max(320).meta({ description: 'The sender: an address, or "Name <address>"' });

/** The e-mail of a delivery. One recipient, never a list or a group: the address was parsed strictly when it came in. */
export function emailOf(message: ProviderMessage, from: string): Email {
  const content = message.content as {
    subject: string;
    html?: string;
    text?: string;
    from?: string;
    reply_to?: string;
  };
  return {
    from: content.from || from,
    to: message.to!,
    replyTo: content.reply_to || undefined,
    subject: content.subject,
    html: content.html,
    text: content.text ?? convert(content.html!, { wordwrap: 78 }),
    headers: { 'Auto-Submitted': 'auto-generated', ...unsubscribeHeaders(message) },
  };
}

/** One click in the mail client ends it (RFC 8058), and the list has a name (RFC 2919). */
function unsubscribeHeaders({ unsubscribe }: ProviderMessage): Record<string, string> {
  if (!unsubscribe) return {};
  return {
    'List-ID': `<${unsubscribe.listId}>`,
    'List-Unsubscribe': `<${unsubscribe.url}>`,
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  };
}

/** `Name <address>` in its two parts. */
export function partsOf(from: string): { address: string; name: string | undefined } {
  const found = /^\s*(?:"?([^"<]*?)"?\s*)?<([^>]+)>\s*$/.exec(from);
  return found ? { address: found[2]!.trim(), name: found[1] || undefined } : { address: from.trim(), name: undefined };
}
