/** The kinds of a tenant's jobs. The worker has the code of each: apps/worker/src/jobs/jobs.module.ts lists it. */
export const jobKinds = ['topic_send', 'upload', 'dead_letter_replay'] as const;
/** The kinds of the operator's jobs, which belong to the platform: its id is their tenant id. */
export const operatorJobKinds = ['operator_dead_letter_replay'] as const;
export type JobKindName = (typeof jobKinds)[number] | (typeof operatorJobKinds)[number];

export const jobStates = ['running', 'paused', 'finished', 'cancelled', 'failed'] as const;
export type JobState = (typeof jobStates)[number];
