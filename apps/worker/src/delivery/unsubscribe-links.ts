import type { DeliveryContext } from '#database';
import { type ChannelId, signUnsubscription } from '#domain';

export interface UnsubscribeLink {
  url: string;
  /** RFC 2919: looks like a domain name, and stays the same for a category. */
  listId: string;
}

/** Makes the link out of a category for each recipient of an e-mail, where mail clients can reach us. */
export class UnsubscribeLinks {
  constructor(
    private readonly publicUrl: string | undefined,
    private readonly key: Buffer,
  ) {}

  /** Null where there is nothing to leave: other channels, and what people must be told. */
  linkFor(channel: ChannelId, { notification, category }: DeliveryContext): UnsubscribeLink | null {
    if (this.publicUrl === undefined || channel !== 'email' || category?.mandatory) return null;
    const { tenantId, recipientId, category: key } = notification;
    return {
      url: `${this.publicUrl}/unsubscribe/${signUnsubscription(this.key, { tenantId, recipientId, category: key })}`,
      listId: `${labelOf(key)}.${tenantId}.${new URL(this.publicUrl).hostname}`,
    };
  }
}

/** A category's key as a label of a domain name. */
function labelOf(key: string): string {
  return (
    key
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 63) || 'list'
  );
}
