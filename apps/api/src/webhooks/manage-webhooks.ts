import { randomBytes, randomUUID } from 'node:crypto';
import {
  type AcceptStore,
  type DeadLettersStore,
  EVENTS_KEPT_DAYS,
  type EventsStore,
  eventAcceptance,
  eventNotificationId,
  type NotificationsStore,
  type StoredEvent,
  type WebhookEndpoint,
  type WebhookEndpointsStore,
  wants,
} from '#database';
import { DomainError, notFound } from '#domain';
import type { ConnectionFactory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { validationFailed } from '../http/request-schema.pipe.js';
import type { ReplayBody, WebhookBody, WebhookPatch } from './webhook.schema.js';

/** How much one call to replay puts back. */
const REPLAY_LIMIT = 1_000;
const PAGE = 500;
const DAY_MS = 86_400_000;

interface Stores {
  endpoints: WebhookEndpointsStore;
  events: EventsStore;
  notifications: NotificationsStore;
  letters: DeadLettersStore;
  accept: AcceptStore;
}

/** The endpoints of a tenant, and what they are told again. */
export class ManageWebhooks {
  constructor(
    private readonly stores: Stores,
    private readonly bus: RealtimeBus,
    private readonly connectionFactory: ConnectionFactory,
    /** How many endpoints a tenant may have. */
    private readonly limit: number,
  ) {}

  async create(tenantId: string, body: WebhookBody): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
    this.checkUrl(body.url);
    const secret = newSecret();
    const { limit } = this;
    const endpoint = await this.stores.endpoints.create(tenantId, { ...body, enabled: true }, { secret, limit });
    if (!endpoint)
      throw new DomainError('conflict', `This tenant already has ${limit} webhooks, the maximum; delete one first.`);
    this.announce(tenantId);
    return { endpoint, secret };
  }

  async get(tenantId: string, id: string): Promise<WebhookEndpoint> {
    const endpoint = await this.stores.endpoints.get(tenantId, id);
    if (!endpoint) throw notFound('webhook', id);
    return endpoint;
  }

  async update(tenantId: string, id: string, patch: WebhookPatch): Promise<WebhookEndpoint> {
    if (patch.url !== undefined) this.checkUrl(patch.url);
    const endpoint = await this.stores.endpoints.update(tenantId, id, patch);
    if (!endpoint) throw notFound('webhook', id);
    this.announce(tenantId);
    return endpoint;
  }

  async delete(tenantId: string, id: string): Promise<void> {
    if (!(await this.stores.endpoints.delete(tenantId, id))) throw notFound('webhook', id);
    this.announce(tenantId);
  }

  async rotate(tenantId: string, id: string): Promise<{ secret: string; until: Date }> {
    const secret = newSecret();
    const until = await this.stores.endpoints.rotate(tenantId, id, secret);
    if (!until) throw notFound('webhook', id);
    this.announce(tenantId);
    return { secret, until };
  }

  /** Sends an event that nobody asked for, to this endpoint alone. Returns the id of its delivery. */
  async test(tenantId: string, id: string): Promise<string> {
    const endpoint = await this.enabled(tenantId, id);
    const event: StoredEvent = {
      tenantId,
      id: randomUUID(),
      seq: 0,
      type: 'webhook.test',
      recipientId: null,
      subject: id,
      data: JSON.stringify({ webhook_id: id }),
      createdAt: new Date().toISOString(),
    };
    const acceptance = eventAcceptance(event, { tenantId, ...endpoint });
    await this.stores.accept.accept(acceptance);
    return acceptance.deliveries[0]!.id;
  }

  /** Puts back what was given up, or sends what was never sent. */
  async replay(
    tenantId: string,
    id: string,
    { since, only }: ReplayBody,
  ): Promise<{ replayed: number; more: boolean }> {
    const endpoint = await this.enabled(tenantId, id);
    const from = new Date(since);
    if (from.getTime() < Date.now() - EVENTS_KEPT_DAYS * DAY_MS)
      throw validationFailed([
        {
          pointer: '/since',
          code: 'too_old',
          message: `may be ${EVENTS_KEPT_DAYS} days ago, got ${JSON.stringify(since)}`,
        },
      ]);
    return only === 'failed'
      ? await this.replayFailed(tenantId, id, from)
      : await this.replayMissing(tenantId, endpoint, from);
  }

  private async replayFailed(tenantId: string, id: string, since: Date): Promise<{ replayed: number; more: boolean }> {
    const letters = await this.stores.letters.ofEndpoint(tenantId, id, since, REPLAY_LIMIT + 1);
    let replayed = 0;
    for (const letter of letters.slice(0, REPLAY_LIMIT)) {
      try {
        await this.stores.letters.replay(letter);
        replayed += 1;
      } catch (error) {
        // Somebody else was quicker, or it is not failed any more.
        if (!(error instanceof DomainError) || error.status === 503) throw error;
      }
    }
    return { replayed, more: letters.length > REPLAY_LIMIT };
  }

  private async replayMissing(
    tenantId: string,
    endpoint: WebhookEndpoint,
    since: Date,
  ): Promise<{ replayed: number; more: boolean }> {
    const { events, notifications, accept } = this.stores;
    let replayed = 0;
    for (let after: StoredEvent | null = null; ; ) {
      const page: StoredEvent[] = await events.since(tenantId, since, after, PAGE);
      const wanted = page.filter(({ type }) => wants(endpoint, type));
      const there = await notifications.existing(
        tenantId,
        wanted.map((event) => eventNotificationId(event, endpoint.id)),
      );
      const missing = wanted.filter((event) => !there.has(eventNotificationId(event, endpoint.id)));
      const room = REPLAY_LIMIT - replayed;
      const now = missing.slice(0, room).map((event) => eventAcceptance(event, { tenantId, ...endpoint }));
      for (const result of now.length > 0 ? await accept.acceptAll(now) : [])
        if (result instanceof DomainError) throw result;
      replayed += now.length;
      if (missing.length > room) return { replayed, more: true };
      if (page.length < PAGE) return { replayed, more: false };
      after = page.at(-1)!;
    }
  }

  private async enabled(tenantId: string, id: string): Promise<WebhookEndpoint> {
    const endpoint = await this.get(tenantId, id);
    if (!endpoint.enabled)
      throw new DomainError('conflict', `Webhook ${id} is switched off; PATCH it with {"enabled": true} first.`);
    return endpoint;
  }

  private checkUrl(url: string): void {
    const fault = this.connectionFactory.guard.urlError(url);
    if (fault)
      throw validationFailed([
        { pointer: '/url', code: 'invalid', message: `${fault}, got ${JSON.stringify(url.slice(0, 200))}` },
      ]);
  }

  /** Senders that were made of it are made anew. */
  private announce(tenantId: string): void {
    this.bus.publish([{ kind: 'stale', tenantId, what: 'provider_accounts' }]);
  }
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}
