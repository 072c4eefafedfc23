// Events → the endpoints of their tenants: each that wants an event gets a delivery of its own.

import {
  type AcceptStore,
  type EventsStore,
  eventAcceptance,
  isOutage,
  type ListeningEndpoint,
  type NewNotification,
  type StoredEvent,
  type WebhookEndpointsStore,
  wants,
} from '#database';
import { instruments, type Logger } from '#telemetry';

/** Tenants served in one turn. */
const TENANTS = 20;
/** Deliveries written in one turn, and events read for it. */
const LARGEST_TURN = 500;
const SMALLEST_TURN = 10;
/** A turn that takes longer is too large, one that takes less than the second may grow. Statements are ended after 1.8 s. */
const [SLOW_MS, QUICK_MS] = [600, 200];
const FIRST_TENANT = '00000000-0000-0000-0000-000000000000';

interface Stores {
  events: EventsStore;
  endpoints: WebhookEndpointsStore;
  accept: AcceptStore;
}

/** An event with the deliveries that are made of it. */
interface Copies {
  event: StoredEvent;
  acceptances: NewNotification[];
}

/**
 * Works in turns of bounded size. Each turn serves the next tenants that have events: one event of each, then another of each while
 * the turn has room, so that no tenant's backlog is before another's. Progress is kept by event. What was accepted when a turn fails is not
 * accepted twice: its idempotency key names the event and the endpoint.
 */
export class WebhookFanOut {
  /** The last tenant served. */
  private after = FIRST_TENANT;
  /** Deliveries in a turn: halved when one fails or is slow, doubled when one is quick. */
  private size = LARGEST_TURN;

  constructor(
    private readonly stores: Stores,
    private readonly logger: Logger,
  ) {}

  /** Returns whether there may be more. Throws while the database is away, or a turn took too long; the next is smaller then. */
  async turn(): Promise<boolean> {
    const found = await this.stores.events.nextForEndpoints({
      afterTenant: this.after,
      tenants: TENANTS,
      limit: this.size,
    });
    const queues = Map.groupBy(found, ({ tenantId }) => tenantId);
    const startedAtFirst = this.after === FIRST_TENANT;
    // Moves on even if this turn fails, so that one tenant cannot block the others.
    this.after = queues.size === TENANTS ? [...queues.keys()].sort().at(-1)! : FIRST_TENANT;
    if (queues.size === 0) return !startedAtFirst;
    const listening = Map.groupBy(
      await this.stores.endpoints.listening([...queues.keys()]),
      ({ tenantId }) => tenantId,
    );
    await this.handOut(this.fill([...queues.values()], listening));
    return true;
  }

  /** One event of each tenant, and again while there is room. */
  private fill(queues: StoredEvent[][], listening: ReadonlyMap<string, ListeningEndpoint[]>): Copies[] {
    const turn: Copies[] = [];
    let room = this.size;
    for (let round = 0; queues.some((events) => round < events.length); round += 1) {
      for (const events of queues) {
        const event = events[round];
        if (!event) continue;
        const acceptances = (listening.get(event.tenantId) ?? [])
          .filter((endpoint) => wants(endpoint, event.type))
          .map((endpoint) => eventAcceptance(event, endpoint));
        turn.push({ event, acceptances });
        room -= acceptances.length;
      }
      if (room <= 0) break;
    }
    return turn;
  }

  /** Marks the events whose every copy was accepted or set aside, also when it ends in an outage. */
  private async handOut(turn: readonly Copies[]): Promise<void> {
    const copies = turn.flatMap(({ event, acceptances }) => acceptances.map((acceptance) => ({ event, acceptance })));
    const left = new Map(turn.map(({ event, acceptances }) => [event, acceptances.length]));
    let outage: unknown;
    for (let from = 0; from < copies.length && !outage; ) {
      const slice = copies.slice(from, from + this.size);
      from += slice.length;
      const startedAt = performance.now();
      const results = await Promise.allSettled(slice.map(({ acceptance }) => this.stores.accept.accept(acceptance)));
      results.forEach((result, at) => {
        const { event, acceptance } = slice[at]!;
        if (result.status === 'rejected' && isOutage(result.reason)) outage = result.reason;
        else {
          if (result.status === 'rejected') this.setAside(event, acceptance, result.reason);
          left.set(event, left.get(event)! - 1);
        }
      });
      this.resize(performance.now() - startedAt, outage !== undefined);
    }
    const done = [...left].filter(([, count]) => count === 0).map(([event]) => event);
    if (done.length > 0) await this.stores.events.handedOut(done);
    if (outage) throw outage;
  }

  private resize(milliseconds: number, failed: boolean): void {
    if (failed || milliseconds > SLOW_MS) this.size = Math.max(SMALLEST_TURN, Math.floor(this.size / 2));
    else if (milliseconds < QUICK_MS) this.size = Math.min(LARGEST_TURN, this.size * 2);
  }

  /** A copy that cannot be written: the others go on. Its event is kept for a week, so that a replay of what is missing finds it. */
  private setAside(event: StoredEvent, { notification }: NewNotification, error: unknown): void {
    instruments().eventsSetAside.add(1);
    this.logger.error(
      {
        err: error,
        tenant_id: event.tenantId,
        event_id: event.id,
        type: event.type,
        webhook_id: notification.endpointId,
      },
      'an event cannot be handed to a webhook; it is set aside',
    );
  }
}
