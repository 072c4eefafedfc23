import { Injectable } from '@nestjs/common';
import {
  DeliveriesStore,
  type DeliveryContext,
  ReceiptsStore,
  SharedContentsStore,
  type StoredSharedContent,
  TemplatesStore,
  type TemplateVersion,
  type VersionKey,
  versionKey,
} from '#database';
import {
  addressesFor,
  type ChannelId,
  type Includes,
  inAppContent,
  missingAddress,
  missingTemplate,
  StopPipeline,
  templateFor,
} from '#domain';
import { instruments } from '#telemetry';
import { SharedPayload } from '#templates';
import type { Claimed, Loaded } from './pipeline-context.js';
import { ReadCache } from './read-cache.js';
import { unknownPolicy } from './unknown-policy.js';

/** Template versions kept in memory; a version never changes. */
const CACHED_VERSIONS = 5_000;

/** Memory for shared contents. One takes up to four bytes a character: as text, and as UTF-8 for the render threads. */
const CACHED_SHARED_BYTES = 64 * 1024 * 1024;
const BYTES_PER_CHARACTER = 4;

interface SharedKey {
  tenantId: string;
  id: string;
}

interface Shared {
  content: Record<string, unknown> | null;
  payload: SharedPayload | null;
  bytes: number;
}

/** Loads the notification, recipient and tenant, and the current version of the template in the best locale. */
@Injectable()
export class LoadStep {
  private readonly versions: ReadCache<VersionKey, TemplateVersion>;
  private readonly shared: ReadCache<SharedKey, Shared>;

  constructor(
    private readonly deliveries: DeliveriesStore,
    templates: TemplatesStore,
    sharedContents: SharedContentsStore,
    private readonly receipts: ReceiptsStore,
  ) {
    this.versions = new ReadCache({ max: CACHED_VERSIONS }, (key) => templates.version(key));
    this.shared = new ReadCache(
      { maxSize: CACHED_SHARED_BYTES, sizeOf: (shared) => shared.bytes },
      async ({ tenantId, id }) => {
        const stored = await sharedContents.get(tenantId, id);
        return stored && toShared(stored);
      },
    );
  }

  async run(claimed: Claimed): Promise<Loaded> {
    const context = await this.deliveries.load(claimed.delivery);
    if (!context) throw new StopPipeline({ kind: 'claim_lost', detail: 'the delivery is gone' });
    if (claimed.delivery.sending) await this.applyUnknownPolicy(claimed, context);
    const shared = await this.sharedOf(context);
    const { content, includes, templateVersion } = await this.contentOf(claimed, context, shared);
    const addresses = addressesFor(claimed.channel, context.address, context.recipient);
    if (addresses.length === 0 && claimed.channel.addressFrom)
      throw new StopPipeline(missingAddress(claimed.channel, context.notification.recipientId));
    return {
      ...claimed,
      context,
      addresses,
      content,
      includes,
      templateVersion,
      sharedPayload: shared?.payload ?? null,
      loaded: true,
    };
  }

  /**
   * An earlier claim committed the intent to send and recorded no outcome, so the message may have been sent. Sends
   * again if the policy of the category or the channel allows it and no receipt has come: a receipt proves that the
   * message was sent.
   */
  private async applyUnknownPolicy(claimed: Claimed, context: DeliveryContext): Promise<void> {
    const { delivery } = claimed;
    const policy = unknownPolicy(claimed, context);
    instruments().unknown.add(1, { channel: delivery.channel, policy });
    const hasReceipt = await this.receipts.hasParked(delivery);
    if (policy === 'resend' && !hasReceipt) {
      if (delivery.expired) throw new StopPipeline({ kind: 'expired' });
      return;
    }
    const lost = `the worker was lost during attempt ${delivery.attempt}`;
    const detail = hasReceipt ? `${lost}; a receipt of it has come` : `${lost}; the provider may or may not have it`;
    throw new StopPipeline({ kind: 'unknown', detail });
  }

  private async sharedOf({ notification }: DeliveryContext): Promise<Shared | null> {
    const { tenantId, sharedContentId: id } = notification;
    if (id === null) return null;
    const found = await this.shared.get(`${tenantId} ${id}`, { tenantId, id });
    if (found) return found;
    throw new StopPipeline({
      kind: 'failed',
      reason: 'render_error',
      rule: 'template',
      code: 'unknown_content',
      detail: 'the shared content of this bulk send was deleted',
    });
  }

  private async contentOf(
    { delivery, channel }: Claimed,
    { notification, recipient, tenant, templateHeads: heads }: DeliveryContext,
    shared: Shared | null,
  ): Promise<{ content: Record<string, unknown>; includes: Includes | null; templateVersion: number | null }> {
    // Webhooks have no template: the event is the content.
    if (notification.endpointId)
      return { content: { body: JSON.stringify(notification.payload) }, includes: null, templateVersion: null };
    const inline = notification.content ?? shared?.content;
    if (inline) return { content: inlineFor(channel.id, inline), includes: null, templateVersion: null };
    const head = templateFor(heads, recipient?.locale ?? null, tenant.settings.locale ?? null);
    const key = head && versionKey(delivery.tenantId, head);
    const version = key && (await this.versions.get(`${key.tenantId} ${key.templateId} ${key.version}`, key));
    if (!version) throw new StopPipeline(missingTemplate(channel, notification.templateId!));
    return { ...version, templateVersion: head.version };
  }
}

/** The inbox may be the replacement of another channel, whose content the notification has. */
function inlineFor(channel: ChannelId, content: Record<string, unknown>): Record<string, unknown> {
  return channel === 'in_app' ? (inAppContent(content) ?? content) : content;
}

function toShared({ content, payload }: StoredSharedContent): Shared {
  const characters = (payload?.length ?? 0) + (content ? JSON.stringify(content).length : 0);
  return {
    content,
    payload: payload === null ? null : new SharedPayload(payload),
    bytes: 1 + BYTES_PER_CHARACTER * characters,
  };
}
