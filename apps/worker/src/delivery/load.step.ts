import { LRUCache } from 'lru-cache';
import type { DeliveriesStore, DeliveryContext, TemplateContent, TemplatesStore } from '#database';
import { Halt, localeChain } from '#domain';
import { instruments } from '#telemetry';
import type { Claimed, Loaded } from './stages.js';

/** Contents of template versions, which never change. */
const CACHED_VERSIONS = 5_000;

interface VersionKey {
  tenantId: string;
  templateId: string;
  version: number;
}

/** Notification, recipient, tenant and the current version of the template in the best locale. */
export class LoadStep {
  /** Asked for at the same moment by a thousand deliveries of one template, a version is read once. */
  private readonly versions: LRUCache<string, TemplateContent, VersionKey>;

  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly templates: TemplatesStore,
  ) {
    this.versions = new LRUCache({
      max: CACHED_VERSIONS,
      fetchMethod: async (_key, _stale, { context }) => (await this.templates.version(context)) ?? undefined,
    });
  }

  async run(claimed: Claimed): Promise<Loaded> {
    const context = await this.deliveries.load(claimed.delivery);
    if (!context) throw new Halt({ kind: 'not_mine', detail: 'the delivery is gone' });
    if (claimed.delivery.sending) decideInDoubt(claimed, context);
    const { content, templateVersion } = await this.content(claimed, context);
    const own = context.recipient ? claimed.channel.addressesOf(context.recipient) : [];
    const addresses = context.address ? [context.address] : own;
    if (addresses.length === 0 && claimed.channel.addressFrom) {
      throw new Halt({
        kind: 'failed',
        reason: 'no_address',
        code: null,
        detail: `recipient ${JSON.stringify(context.notification.recipientId)} has no ${claimed.channel.id} address any more`,
      });
    }
    return { ...claimed, context, addresses, content, templateVersion, loaded: true };
  }

  private async content(
    { delivery, channel }: Claimed,
    { notification, recipient, tenant, templateHeads: heads }: DeliveryContext,
  ): Promise<{ content: TemplateContent; templateVersion: number | null }> {
    // An event is its own content.
    if (notification.endpointId)
      return { content: { body: JSON.stringify(notification.payload) }, templateVersion: null };
    if (notification.content) return { content: notification.content, templateVersion: null };
    const idOrKey = notification.templateId!;
    const chain = localeChain(recipient?.locale ?? null, tenant.settings.locale ?? null);
    // By key the best locale wins; by id there is one. A key with no locale of the chain is still better sent than not.
    const head = chain.flatMap((locale) => heads.filter((found) => found.locale === locale))[0] ?? heads[0];
    const key = head && { tenantId: delivery.tenantId, templateId: head.id, version: head.version };
    const content =
      key && (await this.versions.fetch(`${key.tenantId} ${key.templateId} ${key.version}`, { context: key }));
    if (!content)
      throw new Halt({
        kind: 'failed',
        reason: 'render_error',
        code: 'unknown_template',
        detail: `there is no template ${JSON.stringify(idOrKey)} for ${channel.id} any more`,
      });
    return { content, templateVersion: head.version };
  }
}

/** An earlier worker had begun to send and was lost: it may or may not have been sent. The category says what follows, or the channel. */
function decideInDoubt({ delivery, channel }: Claimed, { category }: DeliveryContext): void {
  const policy = category?.unknownOutcome ?? channel.unknownOutcome;
  instruments().unknown.add(1, { channel: delivery.channel, policy });
  if (policy === 'resend') {
    if (delivery.expired) throw new Halt({ kind: 'expired' });
    return;
  }
  throw new Halt({
    kind: 'unknown',
    detail: `the worker was lost during attempt ${delivery.attempt}; the provider may or may not have it`,
  });
}
