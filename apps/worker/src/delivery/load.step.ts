import type {
  DeliveriesStore,
  DeliveryContext,
  ReceiptsStore,
  SharedContentsStore,
  StoredSharedContent,
  TemplateContent,
  TemplatesStore,
} from '#database';
import { localeChain, StopPipeline } from '#domain';
import { instruments } from '#telemetry';
import { SharedPayload } from '#templates';
import type { Claimed, Loaded } from './pipeline-context.js';
import { ReadCache } from './read-cache.js';

/** Contents of template versions, which never change. */
const CACHED_VERSIONS = 5_000;

/** Bytes of shared contents. One takes up to four times its characters: as text, and as UTF-8 for the threads that render. */
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

interface VersionKey {
  tenantId: string;
  templateId: string;
  version: number;
}

/** Notification, recipient, tenant and the current version of the template in the best locale. */
export class LoadStep {
  private readonly versions: ReadCache<VersionKey, TemplateContent>;
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
    if (claimed.delivery.sending) await this.decideInDoubt(claimed, context);
    const shared = await this.sharedOf(context);
    const { content, templateVersion } = await this.content(claimed, context, shared);
    const own = context.recipient ? claimed.channel.addressesOf(context.recipient) : [];
    const addresses = context.address ? [context.address] : own;
    if (addresses.length === 0 && claimed.channel.addressFrom) {
      throw new StopPipeline({
        kind: 'failed',
        reason: 'no_address',
        code: null,
        detail: `recipient ${JSON.stringify(context.notification.recipientId)} has no ${claimed.channel.id} address any more`,
      });
    }
    return {
      ...claimed,
      context,
      addresses,
      content,
      templateVersion,
      sharedPayload: shared?.payload ?? null,
      loaded: true,
    };
  }

  /**
   * An earlier worker had begun to send and was lost: it may or may not have been sent. The category says what follows, or the
   * channel; nothing is sent again of which the vendor has told something.
   */
  private async decideInDoubt({ delivery, channel }: Claimed, { category }: DeliveryContext): Promise<void> {
    const policy = category?.unknownOutcome ?? channel.unknownOutcome;
    instruments().unknown.add(1, { channel: delivery.channel, policy });
    const told = await this.receipts.hasParked(delivery.tenantId, delivery.deliveryId);
    if (policy === 'resend' && !told) {
      if (delivery.expired) throw new StopPipeline({ kind: 'expired' });
      return;
    }
    const lost = `the worker was lost during attempt ${delivery.attempt}`;
    const detail = told ? `${lost}; a receipt of it has come` : `${lost}; the provider may or may not have it`;
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
      code: 'unknown_content',
      detail: 'the shared content of this bulk send was deleted',
    });
  }

  private async content(
    { delivery, channel }: Claimed,
    { notification, recipient, tenant, templateHeads: heads }: DeliveryContext,
    shared: Shared | null,
  ): Promise<{ content: TemplateContent; templateVersion: number | null }> {
    // An event is its own content.
    if (notification.endpointId)
      return { content: { body: JSON.stringify(notification.payload) }, templateVersion: null };
    const inline = notification.content ?? shared?.content;
    if (inline) return { content: inline, templateVersion: null };
    const idOrKey = notification.templateId!;
    const chain = localeChain(recipient?.locale ?? null, tenant.settings.locale ?? null);
    // By key the best locale wins; by id there is one. A key with no locale of the chain is still better sent than not.
    const head = chain.flatMap((locale) => heads.filter((found) => found.locale === locale))[0] ?? heads[0];
    const key = head && { tenantId: delivery.tenantId, templateId: head.id, version: head.version };
    const content = key && (await this.versions.get(`${key.tenantId} ${key.templateId} ${key.version}`, key));
    if (!content)
      throw new StopPipeline({
        kind: 'failed',
        reason: 'render_error',
        code: 'unknown_template',
        detail: `there is no template ${JSON.stringify(idOrKey)} for ${channel.id} any more`,
      });
    return { content, templateVersion: head.version };
  }
}

function toShared({ content, payload }: StoredSharedContent): Shared {
  const characters = (payload?.length ?? 0) + (content ? JSON.stringify(content).length : 0);
  return {
    content,
    payload: payload === null ? null : new SharedPayload(payload),
    bytes: 1 + BYTES_PER_CHARACTER * characters,
  };
}
