import type { RecipientPart, Recurrence, SharedPart } from '#domain';
import type { TopicSendPart } from '../topics/topic-send.js';

/** The body of the send of each occurrence. */
export type ScheduledNotification = SharedPart &
  RecipientPart &
  Pick<TopicSendPart, 'exclude' | 'spread_over_seconds'> & { topic?: string | undefined };

/** What happens to occurrences that could not be fired in time, for example because no worker was running. */
export const misfirePolicies = ['fire_once', 'skip'] as const;
export type MisfirePolicy = (typeof misfirePolicies)[number];

export const scheduleStates = ['active', 'paused', 'finished'] as const;
export type ScheduleState = (typeof scheduleStates)[number];

export interface ScheduleFields extends Recurrence {
  /** An IANA name, or `recipient`. */
  timezone: string;
  notification: ScheduledNotification;
  /** The recipient in `notification`; null for a topic. */
  recipientId: string | null;
  misfire: MisfirePolicy;
  /** W3C trace context of the request that created it, or changed it last. */
  traceparent: string | null;
}

/** The state of a schedule, and its next occurrence, which is null unless it is active. */
export interface SchedulePosition {
  state: ScheduleState;
  nextLocal: string | null;
  nextAt: Date | null;
}

/** Why an occurrence could not be fired. */
export interface ScheduleError {
  /** RFC 3339. */
  at: string;
  /** The local time of the occurrence. */
  occurrence: string;
  code: string;
  message: string;
}

export interface Schedule extends ScheduleFields, SchedulePosition {
  id: string;
  lastFiredAt: Date | null;
  lastNotificationId: string | null;
  lastMissedAt: Date | null;
  /** Occurrences in a row that could not be fired. */
  failures: number;
  lastError: ScheduleError | null;
  createdAt: Date;
  updatedAt: Date;
}
