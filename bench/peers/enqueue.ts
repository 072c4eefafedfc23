// Adds a job for every waiting delivery to a queue, in batches: node enqueue.ts graphile-worker|bullmq|pg-boss. Prints `ready`
// at the end.

import { Queue } from 'bullmq';
import { makeWorkerUtils } from 'graphile-worker';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import type { Job } from './seven-steps.ts';

const BATCH = 1_000;

const [databaseUrl, redisUrl] = [process.env.DATABASE_URL!, process.env.REDIS_URL!];
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
const { rows: jobs } = await client.query<Job>(
  `select tenant_id as "tenantId", id as "deliveryId" from deliveries where state = 'waiting'`,
);
await client.end();
await enqueue(process.argv[2]!);
console.log('ready');
process.exit(0);

async function enqueue(queue: string): Promise<void> {
  const batches = Array.from({ length: Math.ceil(jobs.length / BATCH) }, (_, at) =>
    jobs.slice(at * BATCH, (at + 1) * BATCH),
  );
  if (queue === 'graphile-worker') {
    const utils = await makeWorkerUtils({ connectionString: databaseUrl });
    await utils.migrate();
    for (const batch of batches)
      await utils.withPgClient((graphile) =>
        graphile.query(
          `select graphile_worker.add_jobs(array(select json_populate_record(null::graphile_worker.job_spec, json_build_object('identifier', 'deliver', 'payload', p)) from json_array_elements($1::json) p))`,
          [JSON.stringify(batch)],
        ),
      );
    await utils.release();
    return;
  }
  if (queue === 'bullmq') {
    const { hostname, port } = new URL(redisUrl);
    const bull = new Queue('deliver', { connection: { host: hostname, port: Number(port) } });
    await bull.obliterate({ force: true });
    for (const batch of batches)
      await bull.addBulk(batch.map((data) => ({ name: 'deliver', data, opts: { removeOnComplete: true } })));
    await bull.close();
    return;
  }
  const boss = new PgBoss({ connectionString: databaseUrl, max: 5 });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue('deliver');
  for (const batch of batches)
    await boss.insert(
      'deliver',
      batch.map((data) => ({ data })),
    );
  await boss.stop({ graceful: false });
}
