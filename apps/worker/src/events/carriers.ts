import { type AcceptStore, type EventsStore, eventAcceptance, type WebhookEndpointsStore, wants } from '#database';
import { DomainError } from '#domain';
import type { EventStream } from '#messaging';
import { instruments } from '#telemetry';

/** To the topic of events. */
export function toBroker(events: EventsStore, stream: EventStream) {
  return async (limit: number): Promise<number> => {
    const batch = await events.next(limit);
    if (batch.length === 0) return 0;
    await stream.publish(batch);
    await events.published(batch);
    instruments().events.add(batch.length, { to: 'broker' });
    return batch.length;
  };
}

/** To the endpoints of their tenants: each that wants one gets a delivery of its own. */
export function toEndpoints(events: EventsStore, endpoints: WebhookEndpointsStore, accept: AcceptStore) {
  return async (limit: number): Promise<number> => {
    const batch = await events.nextForEndpoints(limit);
    if (batch.length === 0) return 0;
    const listening = Map.groupBy(
      await endpoints.listening([...new Set(batch.map(({ tenantId }) => tenantId))]),
      ({ tenantId }) => tenantId,
    );
    const acceptances = batch.flatMap((event) =>
      (listening.get(event.tenantId) ?? [])
        .filter((endpoint) => wants(endpoint, event.type))
        .map((endpoint) => eventAcceptance(event, endpoint)),
    );
    for (const result of acceptances.length > 0 ? await accept.acceptAll(acceptances) : [])
      if (result instanceof DomainError) throw result;
    await events.handedOut(batch);
    instruments().events.add(acceptances.length, { to: 'endpoint' });
    return batch.length;
  };
}
