import { Injectable } from '@nestjs/common';
import { type ClosedDigest, DeliveriesStore, type DeliveryContext } from '#database';
import { addedVariables, StopPipeline } from '#domain';
import { Composed, TemplateFault, TemplateRenderer } from '#templates';
import { LoadContent } from '../content/load-content.js';
import type { Limited, LoadedContent } from '../pipeline-context.js';
import { builtInDigest } from './built-in-digests.js';
import { type DigestItem, toDigestItem } from './digest-item.js';

/** Items in the message of a digest; the others are counted. */
const LISTED_ITEMS = 100;
/** Bytes of JSON of the listed items. An item that would exceed it, and those after it, are only counted. */
const MAX_ITEM_BYTES = 256 * 1024;

/** The content of a digest's message, and the payload that it is rendered with. */
export interface ComposedDigest extends Omit<LoadedContent, 'sharedPayload'> {
  payload: { items: DigestItem[]; count: number; more: number };
}

/** Makes one message of the items of a digest. */
@Injectable()
export class ComposeDigest {
  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly contents: LoadContent,
    private readonly renderer: TemplateRenderer,
  ) {}

  /** Throws what the renderer throws when it is busy. */
  async run(limited: Limited, digest: ClosedDigest): Promise<ComposedDigest> {
    const { listed, ...source } = await this.contentOf(limited, digest);
    const items = await this.items(limited, digest.deliveryIds.slice(0, listed));
    const count = digest.deliveryIds.length;
    return { ...source, payload: { items, count, more: count - items.length } };
  }

  /** The category's template as it is now, or else the list of the channel. */
  private async contentOf(
    { delivery, channel, context }: Limited,
    digest: ClosedDigest,
  ): Promise<Omit<ComposedDigest, 'payload'> & { listed: number }> {
    const policy = context.category?.digest;
    const found = await this.contents.fromTemplate(delivery.tenantId, context, context.digestTemplateHeads);
    if (found) return { ...found, listed: LISTED_ITEMS };
    const builtIn = builtInDigest(channel.id);
    if (builtIn && (digest.combined || !policy)) return { ...builtIn, includes: null, templateVersion: null };
    throw new StopPipeline({
      kind: 'failed',
      reason: 'render_error',
      rule: 'template',
      code: 'unknown_digest_template',
      detail: `there is no template ${JSON.stringify(policy?.template_id)} for digests on ${channel.id} any more`,
    });
  }

  private async items(limited: Limited, deliveryIds: readonly string[]): Promise<DigestItem[]> {
    const { delivery } = limited;
    const contexts = await Promise.all(
      deliveryIds.map((deliveryId) =>
        deliveryId === delivery.deliveryId ? limited.context : this.deliveries.load({ ...delivery, deliveryId }),
      ),
    );
    const items: DigestItem[] = [];
    let bytes = 0;
    for (const [index, context] of contexts.entries()) {
      if (!context) continue;
      const item = await this.item(limited, context, deliveryIds[index]!);
      bytes += Buffer.byteLength(JSON.stringify(item));
      if (bytes > MAX_ITEM_BYTES) break;
      items.push(item);
    }
    return items;
  }

  /** An item whose own message cannot be rendered is listed without it. */
  private async item(limited: Limited, context: DeliveryContext, deliveryId: string): Promise<DigestItem> {
    const { channel, delivery } = limited;
    const own = context.notification.payload ?? {};
    try {
      const { content, includes, sharedPayload } = await this.contents.run(limited, context);
      const composed = new Composed(content, includes);
      const payload = sharedPayload?.isSmall ? { ...sharedPayload.object, ...own } : own;
      const added = addedVariables(context.notification.recipientId, context.recipient, null);
      const layers = [added, sharedPayload ?? {}, own];
      const message = await this.renderer.render(channel, composed, layers, delivery.tenantId).catch(noMessage);
      return toDigestItem(context, deliveryId, payload, message);
    } catch (error) {
      if (!(error instanceof StopPipeline)) throw error;
      return toDigestItem(context, deliveryId, own, null);
    }
  }
}

function noMessage(error: unknown): null {
  if (error instanceof TemplateFault) return null;
  throw error;
}
