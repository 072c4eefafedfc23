import type { DeliveryContext } from '#database';
import { type ChannelId, decideConsent, isRecipientsChoice, signUnsubscription } from '#domain';

export interface UnsubscribeLink {
  url: string;
  /** List-Id (RFC 2919): written like a domain name, the same for all messages of a category. */
  listId: string;
}

/** Makes links by which the recipient of an e-mail unsubscribes from its category. */
export class UnsubscribeLinks {
  /**
   * `publicUrl`: undefined where mail clients cannot reach this deployment; then there are no links. `key`: a function,
   * because the key is read when the database is ready.
   */
  constructor(
    private readonly publicUrl: string | undefined,
    private readonly key: () => Buffer,
  ) {}

  /** Null for channels other than e-mail, and for categories that the recipient cannot leave. */
  linkFor(channel: ChannelId, context: DeliveryContext): UnsubscribeLink | null {
    if (this.publicUrl === undefined || channel !== 'email') return null;
    if (!isRecipientsChoice(decideConsent(context, channel).rule)) return null;
    const { tenantId, recipientId, category: key } = context.notification;
    const profileCreatedAt = context.recipient?.createdAt?.getTime() ?? null;
    const token = signUnsubscription(this.key(), { tenantId, recipientId, category: key, profileCreatedAt });
    return {
      url: `${this.publicUrl}/unsubscribe/${token}`,
      listId: `${labelOf(key)}.${tenantId}.${new URL(this.publicUrl).hostname}`,
    };
  }
}

/** The category's key as a label of a domain name: at most 63 letters, digits and hyphens. */
function labelOf(key: string): string {
  return (
    key
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 63) || 'list'
  );
}
