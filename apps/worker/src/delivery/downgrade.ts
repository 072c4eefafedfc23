import { Inject, Injectable } from '@nestjs/common';
import { TemplatesStore } from '#database';
import { type DecidingRule, inAppContent, inAppDeliveryId, type Outcome, type SuppressedReason } from '#domain';
import type { Loaded } from './pipeline-context.js';

/** Replaces a delivery that must not be sent now by an item in the recipient's inbox. */
@Injectable()
export class Downgrade {
  constructor(@Inject(TemplatesStore) private readonly templates: Pick<TemplatesStore, 'heads'>) {}

  /**
   * Null if the inbox would have no content: the template has no version for it, or the inline content has no title.
   * Null for a digest too: only the item that leads it would be in the inbox. If the notification goes to the inbox
   * anyway, the delivery is only suppressed.
   */
  async outcomeOf(
    loaded: Loaded,
    { reason, rule, detail }: { reason: SuppressedReason; rule: DecidingRule; detail: string },
  ): Promise<Outcome | null> {
    if (loaded.delivery.digestId !== null) return null;
    const { notification, isOfTopic } = loaded.context;
    if (notification.channels.includes('in_app')) return { kind: 'suppressed', reason, rule, detail };
    if (!(await this.hasContent(loaded))) return null;
    return {
      kind: 'downgraded',
      reason,
      rule,
      detail,
      inAppDeliveryId: inAppDeliveryId(
        notification.id,
        notification.recipientId,
        isOfTopic ? loaded.delivery.deliveryId : notification.id,
      ),
    };
  }

  private async hasContent({ context, content }: Loaded): Promise<boolean> {
    const { tenantId, templateId } = context.notification;
    if (templateId === null) return inAppContent(content) !== null;
    return (await this.templates.heads(tenantId, templateId, 'in_app')).length > 0;
  }
}
