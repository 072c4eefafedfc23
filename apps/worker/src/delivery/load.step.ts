import type { DeliveriesStore, DeliveryContext, TemplateContent, TemplatesStore } from '#database';
import { Halt, localeChain } from '#domain';
import { LRUCache } from 'lru-cache';
import type { Claimed, Loaded } from './stages.js';

/** Contents of template versions, which never change. */
const CACHED_VERSIONS = 5_000;

/** Notification, recipient, tenant and the current version of the template in the best locale. */
export class LoadStep {
  private readonly versions = new LRUCache<string, TemplateContent>({ max: CACHED_VERSIONS });

  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly templates: TemplatesStore,
  ) {}

  async run(claimed: Claimed): Promise<Loaded> {
    const context = await this.deliveries.load(claimed.delivery);
    if (!context) throw new Halt({ kind: 'not_mine', detail: 'the delivery is gone' });
    const { content, templateVersion } = await this.content(claimed, context);
    const own = context.recipient ? claimed.channel.addressesOf(context.recipient) : [];
    const addresses = context.address ? [context.address] : own;
    if (addresses.length === 0 && claimed.channel.addressFrom) {
      throw new Halt({ kind: 'failed', reason: 'no_address', code: null, detail: `recipient ${JSON.stringify(context.notification.recipientId)} has no ${claimed.channel.id} address any more` });
    }
    return { ...claimed, context, addresses, content, templateVersion, loaded: true };
  }

  private async content({ delivery, channel }: Claimed, { notification, recipient, tenant }: DeliveryContext): Promise<{ content: TemplateContent; templateVersion: number | null }> {
    if (notification.content) return { content: notification.content, templateVersion: null };
    const idOrKey = notification.templateId!;
    const heads = await this.templates.heads(delivery.tenantId, idOrKey, channel.id);
    const chain = localeChain(recipient?.locale ?? null, tenant.settings.locale ?? null);
    // By key the best locale wins; by id there is one. A key with no locale of the chain is still better sent than not.
    const head = chain.flatMap((locale) => heads.filter((found) => found.locale === locale))[0] ?? heads[0];
    const content = head && (await this.version(delivery.tenantId, head.id, head.version));
    if (!content) throw new Halt({ kind: 'failed', reason: 'render_error', code: 'unknown_template', detail: `there is no template ${JSON.stringify(idOrKey)} for ${channel.id} any more` });
    return { content, templateVersion: head.version };
  }

  private async version(tenantId: string, templateId: string, version: number): Promise<TemplateContent | null> {
    const key = `${tenantId} ${templateId} ${version}`;
    const cached = this.versions.get(key);
    if (cached) return cached;
    const content = await this.templates.version({ tenantId, templateId, version });
    if (content) this.versions.set(key, content);
    return content;
  }
}
