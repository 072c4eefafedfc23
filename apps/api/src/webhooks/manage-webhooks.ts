import { randomBytes, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import {
  AcceptStore,
  type AuditNote,
  newEventNotification,
  type TracedEvent,
  type WebhookEndpoint,
  WebhookEndpointsStore,
} from '#database';
import { DomainError, notFound, validationFailed } from '#domain';
import { ConnectionFactory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { withValue } from '../http/request-schema.pipe.js';
import { BUS, CONFIG } from '../tokens.js';
import { type ReplayResult, ReplayWebhooks } from './replay-webhooks.js';
import type { ReplayBody, WebhookBody, WebhookPatch } from './webhook.schema.js';

/** The webhook endpoints of a tenant. */
@Injectable()
export class ManageWebhooks {
  constructor(
    private readonly endpoints: WebhookEndpointsStore,
    private readonly accept: AcceptStore,
    private readonly replays: ReplayWebhooks,
    private readonly connectionFactory: ConnectionFactory,
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  async create(
    tenantId: string,
    body: WebhookBody,
    audit: AuditNote,
  ): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
    this.checkUrl(body.url);
    const secret = newSecret();
    const limit = this.config.webhookEndpointsPerTenant;
    const endpoint = await this.endpoints.create(tenantId, { ...body, enabled: true }, { secret, limit }, audit);
    if (!endpoint)
      throw new DomainError('conflict', `This tenant already has ${limit} webhooks, the maximum; delete one first.`);
    this.announce(tenantId);
    return { endpoint, secret };
  }

  async get(tenantId: string, id: string): Promise<WebhookEndpoint> {
    const endpoint = await this.endpoints.get(tenantId, id);
    if (!endpoint) throw notFound('webhook', id);
    return endpoint;
  }

  async update(tenantId: string, id: string, patch: WebhookPatch, audit: AuditNote): Promise<WebhookEndpoint> {
    if (patch.url !== undefined) this.checkUrl(patch.url);
    const endpoint = await this.endpoints.update(tenantId, id, patch, audit);
    if (!endpoint) throw notFound('webhook', id);
    this.announce(tenantId);
    return endpoint;
  }

  async delete(tenantId: string, id: string, audit: AuditNote): Promise<void> {
    if (!(await this.endpoints.delete(tenantId, id, audit))) throw notFound('webhook', id);
    this.announce(tenantId);
  }

  /** Returns the new secret, and until when calls are also signed with the old one. */
  async rotate(tenantId: string, id: string, audit: AuditNote): Promise<{ secret: string; until: Date }> {
    const secret = newSecret();
    const until = await this.endpoints.rotate(tenantId, id, secret, audit);
    if (!until) throw notFound('webhook', id);
    this.announce(tenantId);
    return { secret, until };
  }

  /** Sends a `webhook.test` event to this endpoint, whatever its event types. Returns the id of the delivery. */
  async test(tenantId: string, id: string, traceparent: string | null): Promise<string> {
    const endpoint = await this.enabled(tenantId, id);
    const event: TracedEvent = {
      tenantId,
      id: randomUUID(),
      seq: 0,
      type: 'webhook.test',
      recipientId: null,
      subject: id,
      data: JSON.stringify({ webhook_id: id }),
      createdAt: new Date().toISOString(),
      traceparent,
    };
    const newNotification = newEventNotification(event, { tenantId, ...endpoint });
    await this.accept.accept(newNotification);
    return newNotification.deliveries[0]!.id;
  }

  /** Replays failed deliveries, or sends events that were never sent. Throws `conflict` for a disabled endpoint. */
  async replay(tenantId: string, id: string, body: ReplayBody): Promise<ReplayResult> {
    return await this.replays.run(tenantId, await this.enabled(tenantId, id), body);
  }

  private async enabled(tenantId: string, id: string): Promise<WebhookEndpoint> {
    const endpoint = await this.get(tenantId, id);
    if (!endpoint.enabled)
      throw new DomainError('conflict', `Webhook ${id} is disabled; PATCH it with {"enabled": true} first.`);
    return endpoint;
  }

  private checkUrl(url: string): void {
    const error = this.connectionFactory.guard.urlError(url);
    if (error) throw validationFailed([{ pointer: '/url', code: 'invalid', message: withValue(error, url) }]);
  }

  /** Workers cache an endpoint like a provider account, and reload both after this hint. */
  private announce(tenantId: string): void {
    this.bus.publish([{ kind: 'stale', tenantId, what: 'provider_accounts' }]);
  }
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}
