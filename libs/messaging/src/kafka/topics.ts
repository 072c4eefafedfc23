import { type ChannelId, channelIds, type LaneNumber } from '#domain';
import type { Admin } from './kafka-client.js';

const LANES: Record<LaneNumber, string> = { 1: 'urgent', 2: 'normal', 3: 'bulk' };
export const laneNumbers: readonly LaneNumber[] = [1, 2, 3];
const WEEK_MS = 7 * 86_400_000;
const DAY_MS = 86_400_000;

/** The names of all topics and consumer groups, with the prefix of the deployment. */
export class Topics {
  constructor(private readonly prefix: string) {}

  deliveries(channel: ChannelId, lane: LaneNumber): string {
    return `${this.prefix}.deliveries.${channel}.${LANES[lane]}`;
  }

  lanesOf(channel: ChannelId): string[] {
    return laneNumbers.map((lane) => this.deliveries(channel, lane));
  }

  /** One consumer group per channel, because workers may serve different channels. */
  workers(channel: ChannelId): string {
    return `${this.prefix}.workers.${channel}`;
  }

  get events(): string {
    return `${this.prefix}.events`;
  }

  get requests(): string {
    return `${this.prefix}.requests`;
  }

  get results(): string {
    return `${this.prefix}.requests.results`;
  }

  get acceptors(): string {
    return `${this.prefix}.acceptors`;
  }

  get deadLetters(): string {
    return `${this.prefix}.dead-letters`;
  }

  private all(): { topic: string; retentionMs: number }[] {
    return [
      // Claims last for minutes, so older messages have no effect.
      ...channelIds.flatMap((channel) => this.lanesOf(channel).map((topic) => ({ topic, retentionMs: DAY_MS }))),
      ...[this.events, this.requests, this.results, this.deadLetters].map((topic) => ({ topic, retentionMs: WEEK_MS })),
    ];
  }

  /**
   * Creates missing topics and checks that all exist, because a consumer may never notice a topic that is created
   * later. Replication is the broker's default. Throws when the brokers are unavailable or refuse.
   */
  async ensure(admin: Admin, partitions: number): Promise<void> {
    const wanted = this.all();
    const existing = new Set(await admin.listTopics());
    const missing = wanted.filter(({ topic }) => !existing.has(topic));
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map(({ topic, retentionMs }) => ({
          topic,
          numPartitions: partitions,
          replicationFactor: -1,
          configEntries: [{ name: 'retention.ms', value: String(retentionMs) }],
        })),
      });
    }
    await admin.fetchTopicMetadata({ topics: wanted.map(({ topic }) => topic) });
  }
}
