import { useEffect, useRef, useState } from 'react';
import type { Job } from './job-calls';

/** The rate is measured over this time, so that it follows a changed pace. */
const RATE_WINDOW_MS = 20_000;

export function processedOf({ done, skipped, failed }: Job): number {
  return done + skipped + failed;
}

/** True while the numbers of the job may change. A cancelled send to a topic still cancels its deliveries. */
export function isMoving({ state, finished_at }: Job): boolean {
  return state === 'running' || (state === 'cancelled' && finished_at === null);
}

/** Items a second, from the readings of the last seconds; null while it is not known. */
export function useRate(job: Job | undefined, readAt: number): number | null {
  const readings = useRef<{ at: number; processed: number }[]>([]);
  const [rate, setRate] = useState<number | null>(null);
  useEffect(() => {
    if (!job || readAt === 0) return;
    const kept = readings.current.filter(({ at }) => at > readAt - RATE_WINDOW_MS && at < readAt);
    readings.current = [...kept, { at: readAt, processed: processedOf(job) }];
    const first = kept[0];
    if (job.state !== 'running') setRate(null);
    else if (first) setRate(((processedOf(job) - first.processed) * 1_000) / (readAt - first.at));
    else if (job.started_at) setRate((processedOf(job) * 1_000) / Math.max(1_000, readAt - Date.parse(job.started_at)));
  }, [job, readAt]);
  return rate;
}

/** Seconds until all items are processed; null if that cannot be said. */
export function remainingSeconds(job: Job, rate: number | null): number | null {
  if (job.state !== 'running' || job.total === null || !rate) return null;
  return Math.max(0, job.total - processedOf(job)) / rate;
}
