import { afterEach, beforeEach, expect, it } from 'vitest';
import { channels } from '#domain';
import type { Job } from './render-job.ts';
import { RendererBusy, RenderPool } from './render-pool.ts';

const { fields, maxSourceBytes } = channels.sms;
const job: Job = { kind: 'check', rules: { fields, maxSourceBytes }, content: { text: 'Hello {{name}}' } };
const checked = { kind: 'checked', faults: [], uses: {} };

let pool: RenderPool;
beforeEach(() => {
  pool = new RenderPool({ threads: 1 });
});
afterEach(() => pool.close());

it('gives no task to a thread that was ended before its last result was read', async () => {
  expect(await pool.run('a', job)).toEqual(checked);
  const last = pool.run('a', job).catch((error: unknown) => error);
  // Blocks this thread, so that the result has arrived but is not read when the other thread is ended.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  const closed = pool.close();
  expect(await pool.run('b', job)).toEqual(checked);
  await closed;
  expect(await last).toBeInstanceOf(RendererBusy);
});

it('accepts a task of a tenant that has none waiting, however many others wait', async () => {
  const tenants = ['a', 'b', 'c', 'd'];
  const others = tenants.flatMap((tenantId) =>
    Array.from({ length: 500 }, () => pool.run(tenantId, job).catch((error: unknown) => error)),
  );
  expect(pool.waiting).toBe(2_000);
  expect(await pool.run('e', job)).toEqual(checked);
  const results = await Promise.all(others);
  expect(results.filter((result) => result instanceof RendererBusy)).toHaveLength(1);
});
