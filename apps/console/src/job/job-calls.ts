import type { Carillon, JobsGetResponse } from '#client';

export type Job = JobsGetResponse;

/** The routes of one kind of jobs. They differ in path and scope only. */
export interface JobCalls {
  /** The first element of the keys of reads that change with a job. */
  name: string;
  get(carillon: Carillon, id: string): Promise<Job>;
  pause(carillon: Carillon, id: string): Promise<Job>;
  resume(carillon: Carillon, id: string): Promise<Job>;
  /** Ends it before all is done. */
  stop(carillon: Carillon, id: string): Promise<Job>;
  setPace(carillon: Carillon, id: string, pace: number | null): Promise<Job>;
}

export const tenantJobs: JobCalls = {
  name: 'jobs',
  get: (carillon, id) => carillon.jobs.get({ path: { id } }),
  pause: (carillon, id) => carillon.jobs.pause({ path: { id } }),
  resume: (carillon, id) => carillon.jobs.resume({ path: { id } }),
  stop: (carillon, id) => carillon.jobs.cancel({ path: { id } }),
  setPace: (carillon, id, pace) => carillon.jobs.setPace({ path: { id }, body: { pace_per_second: pace } }),
};

/** A tenant's replays: looked at and stopped with the scopes of dead letters. */
export const tenantReplays: JobCalls = {
  ...tenantJobs,
  get: (carillon, id) => carillon.tenantDeadLetters.progress({ path: { id } }),
  stop: (carillon, id) => carillon.tenantDeadLetters.stop({ path: { id } }),
};

export const operatorReplays: JobCalls = {
  name: 'replays',
  get: (carillon, id) => carillon.deadLetterReplays.get({ path: { id } }),
  pause: (carillon, id) => carillon.deadLetterReplays.pause({ path: { id } }),
  resume: (carillon, id) => carillon.deadLetterReplays.resume({ path: { id } }),
  stop: (carillon, id) => carillon.deadLetterReplays.stop({ path: { id } }),
  setPace: (carillon, id, pace) =>
    carillon.deadLetterReplays.setPace({ path: { id }, body: { pace_per_second: pace } }),
};
