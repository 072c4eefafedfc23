// What a recipient, a tenant and the operator may set about the moment and the number of messages: the shapes of the
// API, which are stored as they are.

import { z } from 'zod';
import { channelIds } from '../channels/registry.js';
import { timezone } from './timezone.js';

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day like "22:00"')
  .meta({ id: 'TimeOfDay' });

const quietWindow = z.strictObject({
  days: z.array(z.enum(weekdays)).min(1).max(7).meta({ description: 'The days on which the window starts' }),
  from: timeOfDay.meta({ description: 'Start, inclusive' }),
  to: timeOfDay.meta({ description: 'End, exclusive; on the next day if it is not later than the start' }),
});

/** Hours in which a recipient gets no messages. */
export const quietHours = z
  .strictObject({
    timezone: timezone.optional().meta({ description: 'If absent, the time zone of the recipient' }),
    windows: z
      .array(quietWindow)
      .max(50)
      .refine((windows) => leavesTimeFree(windows), 'must leave at least one minute of the week free'),
  })
  .meta({ id: 'QuietHours' });
export type QuietHours = z.infer<typeof quietHours>;

const DAY_MINUTES = 1_440;

function leavesTimeFree(windows: readonly z.infer<typeof quietWindow>[]): boolean {
  const week = new Uint8Array(weekdays.length * DAY_MINUTES);
  for (const { days, from, to } of windows) {
    // A window that ends at its start lasts a day.
    const length = minuteOf(to) - minuteOf(from) + (to > from ? 0 : DAY_MINUTES);
    for (const day of days) {
      const start = weekdays.indexOf(day) * DAY_MINUTES + minuteOf(from);
      for (let minute = start; minute < start + length; minute += 1) week[minute % week.length] = 1;
    }
  }
  return week.includes(0);
}

/** The minutes since midnight of a time of day like "22:30". */
export function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

/** What happens to a delivery beyond a frequency cap. */
export const excessPolicies = ['hold', 'downgrade', 'drop'] as const;
export type ExcessPolicy = (typeof excessPolicies)[number];

const onlyOneWindow = {
  error: 'give either window_seconds or per',
  path: ['window_seconds'],
};

/** A limit on the messages that one recipient gets. It counts those of its channel and its category, or of all. */
export const cap = z
  .strictObject({
    channel: z.enum(channelIds).optional(),
    category: z.string().min(1).max(255).optional(),
    limit: z.int().min(1).max(1_000),
    window_seconds: z.int().min(1).max(2_678_400).optional().meta({ description: 'A rolling window' }),
    per: z.literal('day').optional().meta({ description: "A calendar day in the recipient's time zone" }),
    on_excess: z.enum(excessPolicies).default('hold'),
  })
  .refine(({ window_seconds: window, per }) => (window === undefined) !== (per === undefined), onlyOneWindow)
  .meta({ id: 'Cap' });
export type Cap = z.infer<typeof cap>;
export const caps = z.array(cap).max(20);

/** What a category does with a delivery that quiet hours keep back. */
export const holdPolicies = ['hold', 'combine', 'downgrade', 'drop'] as const;
export type HoldPolicy = (typeof holdPolicies)[number];

/** How a category collects the items of a recipient into one message. */
export const digestPolicy = z
  .strictObject({
    window_seconds: z
      .int()
      .min(1)
      .max(2_678_400)
      .optional()
      .meta({ description: 'Sent this long after the first item' }),
    at_local: timeOfDay.optional().meta({ description: "Sent at this time of day in the recipient's time zone" }),
    template_id: z.string().min(1).max(255),
  })
  .refine(({ window_seconds: window, at_local: time }) => (window === undefined) !== (time === undefined), {
    error: 'give either window_seconds or at_local',
    path: ['window_seconds'],
  })
  .meta({ id: 'DigestPolicy' });
export type DigestPolicy = z.infer<typeof digestPolicy>;

/** How a category is sent. */
export interface CategoryPolicy {
  defaultEnabled: boolean;
  /** Ignores the recipient's preferences. */
  mandatory: boolean;
  /** Null for the policy of the channel. */
  unknownOutcome: 'resend' | 'hold' | null;
  onHold: HoldPolicy;
  /** Null to leave the choice to each cap. */
  onCap: ExcessPolicy | null;
  bypassQuietHours: boolean;
  bypassCaps: boolean;
  digest: DigestPolicy | null;
}
