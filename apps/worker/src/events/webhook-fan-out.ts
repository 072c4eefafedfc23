// Makes a delivery of each event for each endpoint that subscribes to its type.

import {
  type AcceptStore,
  type EventsStore,
  isOutage,
  type ListeningEndpoint,
  type NewNotification,
  newEventNotification,
  type TracedEvent,
  type WebhookEndpointsStore,
  wants,
} from '#database';
import { NIL_ID } from '#domain';
import { instruments, type Logger } from '#telemetry';

/** Tenants in one turn. */
const TENANTS = 20;
/** Deliveries accepted in one turn, and events read for it. */
const LARGEST_TURN = 500;
const SMALLEST_TURN = 10;
/**
 * A slice that takes longer than the first halves the size, a quicker one than the second doubles it. Statements time
 * out after 1.8 s.
 */
const [SLOW_MS, QUICK_MS] = [600, 200];

interface Stores {
  events: EventsStore;
  endpoints: WebhookEndpointsStore;
  accept: AcceptStore;
}

/** An event with the deliveries to accept for it, one for each endpoint. */
interface EventCopies {
  event: TracedEvent;
  newNotifications: NewNotification[];
}

/**
 * Works in turns of bounded size. A turn takes one event of each of the next tenants, then another of each while the
 * turn is not full, so that one tenant's backlog does not delay another tenant. Progress is stored by event.
 * Deliveries that a failed turn has accepted are not accepted again: their idempotency key names the event and the
 * endpoint.
 */
export class WebhookFanOut {
  /** The last tenant served. */
  private after = NIL_ID;
  /** Deliveries in a turn: halved after a failed or slow slice, doubled after a quick one. */
  private size = LARGEST_TURN;

  constructor(
    private readonly stores: Stores,
    private readonly logger: Logger,
  ) {}

  /**
   * Returns whether there may be more. Throws when the database is unavailable or too slow; the next turn is smaller
   * then.
   */
  async turn(): Promise<boolean> {
    const found = await this.stores.events.nextForEndpoints({
      afterTenant: this.after,
      tenants: TENANTS,
      limit: this.size,
    });
    const queues = Map.groupBy(found, ({ tenantId }) => tenantId);
    const startedAtFirst = this.after === NIL_ID;
    // Advances even if this turn fails, so that one tenant cannot block the others.
    this.after = queues.size === TENANTS ? [...queues.keys()].sort().at(-1)! : NIL_ID;
    if (queues.size === 0) return !startedAtFirst;
    const listening = Map.groupBy(
      await this.stores.endpoints.listening([...queues.keys()]),
      ({ tenantId }) => tenantId,
    );
    await this.acceptAll(this.fill([...queues.values()], listening));
    return true;
  }

  /** Takes one event of each tenant, then another of each, until the turn is full. */
  private fill(queues: TracedEvent[][], listening: ReadonlyMap<string, ListeningEndpoint[]>): EventCopies[] {
    const turn: EventCopies[] = [];
    let remaining = this.size;
    for (let round = 0; queues.some((events) => round < events.length); round += 1) {
      for (const events of queues) {
        const event = events[round];
        if (!event) continue;
        const newNotifications = (listening.get(event.tenantId) ?? [])
          .filter((endpoint) => wants(endpoint, event.type))
          .map((endpoint) => newEventNotification(event, endpoint));
        turn.push({ event, newNotifications });
        remaining -= newNotifications.length;
      }
      if (remaining <= 0) break;
    }
    return turn;
  }

  /**
   * Accepts the deliveries. Marks the events whose deliveries are all accepted or set aside, also when an outage ends
   * the turn.
   */
  private async acceptAll(turn: readonly EventCopies[]): Promise<void> {
    const copies = turn.flatMap(({ event, newNotifications }) =>
      newNotifications.map((newNotification) => ({ event, newNotification })),
    );
    const remaining = new Map(turn.map(({ event, newNotifications }) => [event, newNotifications.length]));
    let outage: unknown;
    for (let from = 0; from < copies.length && !outage; ) {
      const slice = copies.slice(from, from + this.size);
      from += slice.length;
      const startedAt = performance.now();
      const results = await Promise.allSettled(
        slice.map(({ newNotification }) => this.stores.accept.accept(newNotification)),
      );
      for (const [index, result] of results.entries()) {
        const { event, newNotification } = slice[index]!;
        if (result.status === 'rejected' && isOutage(result.reason)) {
          outage = result.reason;
          continue;
        }
        if (result.status === 'rejected') this.setAside(event, newNotification, result.reason);
        remaining.set(event, remaining.get(event)! - 1);
      }
      this.resize(performance.now() - startedAt, outage !== undefined);
    }
    const done = [...remaining].filter(([, count]) => count === 0).map(([event]) => event);
    if (done.length > 0) {
      await this.stores.events.markFannedOut(done);
      instruments().events.add(done.length, { to: 'webhooks' });
    }
    if (outage) throw outage;
  }

  private resize(milliseconds: number, failed: boolean): void {
    if (failed || milliseconds > SLOW_MS) this.size = Math.max(SMALLEST_TURN, Math.floor(this.size / 2));
    else if (milliseconds < QUICK_MS) this.size = Math.min(LARGEST_TURN, this.size * 2);
  }

  /**
   * Reports a delivery that cannot be accepted; the others continue. Its event is kept for a week and can be
   * replayed.
   */
  private setAside(event: TracedEvent, { notification }: NewNotification, error: unknown): void {
    instruments().eventsSetAside.add(1);
    this.logger.error(
      {
        err: error,
        tenant_id: event.tenantId,
        event_id: event.id,
        type: event.type,
        webhook_id: notification.endpointId,
      },
      'the delivery of an event to a webhook endpoint cannot be accepted; it is set aside',
    );
  }
}
