import { z } from 'zod';
import type { Job, RejectedLine } from '#database';
import { jobKinds, jobStates, operatorJobKinds } from '#domain';
import { fieldError, filteredPage, id, time } from '../http/schemas.js';

const pace = z
  .number()
  .min(0.01)
  .max(100_000)
  .nullable()
  .meta({ description: 'Items a second; null: as fast as possible' });

export const paceBody = z.strictObject({ pace_per_second: pace }).meta({ id: 'JobPace' });
export type PaceBody = z.infer<typeof paceBody>;

export const jobsQuery = filteredPage({ state: z.enum(jobStates).optional(), kind: z.enum(jobKinds).optional() });
export type JobsQuery = z.infer<typeof jobsQuery>;

export const jobView = z
  .object({
    id,
    kind: z.enum([...jobKinds, ...operatorJobKinds]),
    state: z.enum(jobStates),
    total: z.int().nullable().meta({ description: 'null until it is known' }),
    done: z.int(),
    skipped: z.int().meta({ description: 'Items that needed no work when their turn came' }),
    failed: z.int(),
    pace_per_second: z.number().nullable(),
    notification_id: id.nullable().meta({ description: 'Of a send to a topic' }),
    error: z
      .object({ code: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'Why the last chunk failed. A running job tries again' }),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
  })
  .meta({ id: 'Job' });

export const jobErrorView = z
  .object({
    line: z.int().meta({ description: 'Of the file; 1 is the common part' }),
    code: z.string(),
    errors: z.array(fieldError),
  })
  .meta({ id: 'JobError' });

export function toJobErrorView({ line, code, errors }: RejectedLine): z.infer<typeof jobErrorView> {
  return { line, code, errors };
}

export function toJobView(job: Job): z.infer<typeof jobView> {
  return {
    id: job.id,
    kind: job.kind,
    state: job.state,
    total: job.total,
    done: job.done,
    skipped: job.skipped,
    failed: job.failed,
    pace_per_second: job.pacePerSecond,
    notification_id: job.notificationId,
    error: job.error,
    created_at: job.createdAt.toISOString(),
    started_at: job.startedAt?.toISOString() ?? null,
    finished_at: job.finishedAt?.toISOString() ?? null,
  };
}
