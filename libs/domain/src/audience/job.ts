/** The kinds of jobs. The worker has the code of each: apps/worker/src/jobs/jobs.module.ts lists it. */
export const jobKinds = ['topic_send', 'upload', 'dead_letter_replay'] as const;
export type JobKindName = (typeof jobKinds)[number];

export const jobStates = ['running', 'paused', 'finished', 'cancelled', 'failed'] as const;
export type JobState = (typeof jobStates)[number];
