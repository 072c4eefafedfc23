import { Injectable } from '@nestjs/common';
import {
  AcceptStore,
  DeadLettersStore,
  EVENTS_KEPT_DAYS,
  EventsStore,
  eventNotificationId,
  NotificationsStore,
  newEventNotification,
  type TracedEvent,
  type WebhookEndpoint,
  wants,
} from '#database';
import { DomainError, validationFailed } from '#domain';
import { withValue } from '../http/request-schema.pipe.js';
import type { ReplayBody } from './webhook.schema.js';

export interface ReplayResult {
  replayed: number;
  /** Whether a further call would replay more. */
  more: boolean;
}

/** Deliveries that one call replays at most. */
const REPLAY_LIMIT = 1_000;
/** Events that one query reads. */
const PAGE = 500;
const DAY_MS = 86_400_000;

/** Sends events to an endpoint again. */
@Injectable()
export class ReplayWebhooks {
  constructor(
    private readonly events: EventsStore,
    private readonly notifications: NotificationsStore,
    private readonly deadLetters: DeadLettersStore,
    private readonly accept: AcceptStore,
  ) {}

  /** Throws `validation_failed` when `since` is before the oldest event that is kept. */
  async run(tenantId: string, endpoint: WebhookEndpoint, { since, only }: ReplayBody): Promise<ReplayResult> {
    const from = new Date(since);
    if (from.getTime() < Date.now() - EVENTS_KEPT_DAYS * DAY_MS)
      throw validationFailed([
        {
          pointer: '/since',
          code: 'too_old',
          message: withValue(`may be at most ${EVENTS_KEPT_DAYS} days ago`, since),
        },
      ]);
    return only === 'failed'
      ? await this.replayFailed(tenantId, endpoint.id, from)
      : await this.replayMissing(tenantId, endpoint, from);
  }

  private async replayFailed(tenantId: string, endpointId: string, since: Date): Promise<ReplayResult> {
    const found = await this.deadLetters.ofEndpoint(tenantId, endpointId, since, REPLAY_LIMIT + 1);
    let replayed = 0;
    for (const deadLetter of found.slice(0, REPLAY_LIMIT)) {
      try {
        await this.deadLetters.replay(tenantId, deadLetter, null);
        replayed += 1;
      } catch (error) {
        // Another call replayed it, or the delivery is no longer failed.
        if (!(error instanceof DomainError) || error.status === 503) throw error;
      }
    }
    return { replayed, more: found.length > REPLAY_LIMIT };
  }

  private async replayMissing(tenantId: string, endpoint: WebhookEndpoint, since: Date): Promise<ReplayResult> {
    let replayed = 0;
    for (let after: TracedEvent | null = null; ; ) {
      const page: TracedEvent[] = await this.events.since(tenantId, since, after, PAGE);
      const missing = await this.missingOf(tenantId, endpoint, page);
      const capacity = REPLAY_LIMIT - replayed;
      const accepted = missing
        .slice(0, capacity)
        .map((event) => newEventNotification(event, { tenantId, ...endpoint }));
      for (const result of accepted.length > 0 ? await this.accept.acceptAll(accepted) : [])
        if (result instanceof DomainError) throw result;
      replayed += accepted.length;
      if (missing.length > capacity) return { replayed, more: true };
      if (page.length < PAGE) return { replayed, more: false };
      after = page.at(-1)!;
    }
  }

  /** The events that the endpoint subscribes to and that were never sent to it. */
  private async missingOf(
    tenantId: string,
    endpoint: WebhookEndpoint,
    events: readonly TracedEvent[],
  ): Promise<TracedEvent[]> {
    const wanted = events.filter(({ type }) => wants(endpoint, type));
    const existing = await this.notifications.existing(
      tenantId,
      wanted.map((event) => eventNotificationId(event, endpoint.id)),
    );
    return wanted.filter((event) => !existing.has(eventNotificationId(event, endpoint.id)));
  }
}
