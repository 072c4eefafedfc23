import type { Batch, IHeaders } from 'kafkajs';
import { OffsetTracker } from './offset-tracker.js';

export interface IncomingMessage {
  topic: string;
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: IHeaders;
  /**
   * True once the partition may belong to another member. A message that is not started by then must not be started.
   */
  isRevoked(): boolean;
  /** The message is processed: its offset may be committed once all earlier ones are acknowledged too. */
  acknowledge(): void;
}

/** The next offset to read of a partition. */
export interface CommittableOffset {
  topic: string;
  partition: number;
  offset: string;
  /** To be called when the broker has stored the offset. */
  committed(): void;
}

interface AssignedPartition {
  topic: string;
  partition: number;
  tracker: OffsetTracker;
  revoked: boolean;
}

/** The partitions of one group member, and which of their messages are processed but not committed. */
export class AssignedPartitions {
  /** By topic and partition, since the group was last joined. */
  private partitions = new Map<string, AssignedPartition>();

  get size(): number {
    return this.partitions.size;
  }

  /** Messages acknowledged and not yet committed. */
  get uncommitted(): number {
    let sum = 0;
    for (const { tracker } of this.partitions.values()) sum += tracker.doneCount;
    return sum;
  }

  /**
   * After each join every partition is read again from its committed offset, so messages fetched before are revoked.
   */
  assign(partitionsByTopic: Record<string, number[]>): void {
    this.revokeAll();
    for (const [topic, partitions] of Object.entries(partitionsByTopic)) {
      for (const partition of partitions)
        this.partitions.set(`${topic} ${partition}`, {
          topic,
          partition,
          tracker: new OffsetTracker(),
          revoked: false,
        });
    }
  }

  revokeAll(): void {
    for (const partition of this.partitions.values()) partition.revoked = true;
    this.partitions = new Map();
  }

  /** The messages of a batch, with their offsets tracked. Empty when the partition is not assigned to this member. */
  track({ topic, partition, messages }: Batch): IncomingMessage[] {
    const assigned = this.partitions.get(`${topic} ${partition}`);
    if (!assigned) return [];
    return messages.map(({ offset, key, value, headers }): IncomingMessage => {
      assigned.tracker.begin(offset);
      return {
        topic,
        partition,
        offset,
        key,
        value,
        headers: headers ?? {},
        isRevoked: () => assigned.revoked,
        acknowledge: () => assigned.tracker.done(offset),
      };
    });
  }

  committable(): CommittableOffset[] {
    return [...this.partitions.values()].flatMap(({ topic, partition, tracker }) => {
      const next = tracker.committable();
      return next === null ? [] : [{ topic, partition, offset: next.offset, committed: () => tracker.committed(next) }];
    });
  }
}
