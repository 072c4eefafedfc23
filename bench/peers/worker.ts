// A job queue's worker with the seven steps: node worker.ts graphile-worker|bullmq|pg-boss. Prints `ready`, ends at SIGTERM.

import { Worker } from 'bullmq';
import { run } from 'graphile-worker';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { type Job, sevenSteps } from './seven-steps.ts';

const CONCURRENCY = 100;
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL!, max: 20 });
pool.on('error', () => undefined);
const work = sevenSteps(pool);

const starts: Record<string, () => Promise<() => Promise<unknown>>> = {
  'graphile-worker': async () => {
    // Batched mode: fetches and completes many jobs at a time.
    const runner = await run({
      connectionString: process.env.DATABASE_URL!,
      concurrency: CONCURRENCY,
      noHandleSignals: true,
      taskList: { deliver: (payload) => work(payload as Job) },
      preset: {
        worker: {
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
          maxPoolSize: 10,
        },
      },
    });
    return () => runner.stop();
  },
  bullmq: async () => {
    const { hostname, port } = new URL(process.env.REDIS_URL!);
    const worker = new Worker('deliver', (job) => work(job.data as Job), {
      connection: { host: hostname, port: Number(port) },
      concurrency: CONCURRENCY,
    });
    worker.on('error', () => undefined);
    await worker.waitUntilReady();
    return () => worker.close();
  },
  'pg-boss': async () => {
    const boss = new PgBoss({ connectionString: process.env.DATABASE_URL!, max: 10 });
    boss.on('error', () => undefined);
    await boss.start();
    await boss.work<Job>(
      'deliver',
      { batchSize: CONCURRENCY, pollingIntervalSeconds: 0.5, localConcurrency: 2 },
      async (jobs) => {
        await Promise.all(jobs.map(({ data }) => work(data)));
      },
    );
    return () => boss.stop({ graceful: false });
  },
};

const stop = await starts[process.argv[2]!]!();
console.log('ready');
process.on('SIGTERM', () => {
  void stop().then(() => process.exit(0));
  setTimeout(() => process.exit(0), 2_000).unref();
});
