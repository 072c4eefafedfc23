import type { ChannelFigures, QueueFiguresStore } from '#database';
import type { ChannelId } from '#domain';
import { instruments } from '#telemetry';

/** One look at the table serves all four gauges of a scrape. */
const FRESH_MS = 1_000;

/** The queue by channel, looked at when it is scraped. An empty channel is a zero; while the database is away there is nothing. */
export function observeQueue(queue: QueueFiguresStore, channels: readonly ChannelId[]): void {
  let looked = 0;
  let figures: Promise<ChannelFigures[]> = Promise.resolve([]);
  const look = (): Promise<ChannelFigures[]> => {
    if (performance.now() - looked > FRESH_MS) {
      looked = performance.now();
      figures = queue.read().then(({ channels }) => channels);
    }
    return figures;
  };
  const gauge = (name: string, description: string, of: 'waiting' | 'due' | 'inFlight' | 'oldestDueSeconds'): void =>
    instruments().gauge(name, description, async () => {
      const found = await look().catch(() => null);
      if (!found) return [];
      return channels.map((channel) => ({
        value: found.find((row) => row.channel === channel)?.[of] ?? 0,
        attributes: { channel },
      }));
    });
  gauge('carillon_queue_waiting', 'Deliveries that are not final', 'waiting');
  gauge('carillon_queue_due', 'Deliveries due now and not claimed', 'due');
  gauge('carillon_queue_in_flight', 'Deliveries claimed by any worker', 'inFlight');
  gauge('carillon_queue_oldest_due_seconds', 'Age of the oldest due delivery', 'oldestDueSeconds');
}
