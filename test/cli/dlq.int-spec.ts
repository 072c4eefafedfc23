// `carillon dlq`, as a process against the real API and a worker.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { type Json, simulated, startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';
import { accessTo, type CommandResult, carillon, startCarillon } from './run-carillon.js';

let environment: TestEnvironment;
let tenant: Tenant;
let folder: string;

beforeAll(async () => {
  environment = await startTestEnvironment();
  tenant = await environment.tenant();
  folder = mkdtempSync(join(tmpdir(), 'carillon-dlq-'));
});
afterAll(async () => {
  await environment.stop();
  rmSync(folder, { recursive: true, force: true });
});

const own = (): Record<string, string> => accessTo(environment, tenant);
const run = (...args: string[]): Promise<CommandResult> => carillon(args, own());

/** An e-mail that the simulator refuses, once it is a dead letter. */
async function deadLetter(recipient: string): Promise<Json> {
  const sent = await tenant.send(simulated('rejected', recipient));
  return await until('it is a dead letter', async () => {
    const { body } = await environment.operator('GET', `/internal/dlq?tenant_id=${tenant.id}`);
    return body.data.find((one: Json) => one.notification_id === sent.id);
  });
}

describe('carillon dlq', { timeout: 60_000 }, () => {
  it('lists, exports, shows and replays by filter, once', async () => {
    const letters = [await deadLetter('l1'), await deadLetter('l2'), await deadLetter('l3')];
    const filter = ['--tenant', tenant.id, '--reason', 'rejected', '--failed-after', letters[0].failed_at];
    const listed = (await run('dlq', 'list', ...filter, '--json')).json().data.map((one: Json) => one.id);
    expect(listed).toEqual(expect.arrayContaining(letters.slice(1).map(({ id }) => id)));
    const text = await run('dlq', 'list', '--tenant', tenant.id, '--limit', '1');
    expect(text.stdout).toMatch(/^id +failed at +channel .*\n\S+ +\S+ +email +sandbox +rejected +l3 +open\n$/);

    const file = join(folder, 'letters.ndjson');
    const exported = await run('dlq', 'export', ...filter, '--output', file, '--json');
    expect(exported.json()).toEqual({ exported: listed.length, output: file });
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Json).id);
    expect(lines).toEqual(listed);
    expect((await run('dlq', 'export', ...filter)).stdout).toBe(readFileSync(file, 'utf8'));
    const twice = await run('dlq', 'export', ...filter, '--output', file);
    expect([twice.code, twice.stderr]).toEqual([1, expect.stringMatching(/^--output: EEXIST/)]);

    const dry = await run('dlq', 'replay', ...filter, '--dry-run', '--json');
    expect(dry.json()).toEqual({ dry_run: true, count: listed.length });
    expect((await environment.operator('GET', `/internal/dlq/${listed[0]}`)).body.replayed_at).toBeNull();
    const startedAt = performance.now();
    const replayed = await run('dlq', 'replay', ...filter, '--pace', '2', '--json');
    expect(performance.now() - startedAt).toBeGreaterThan(((listed.length - 1) * 1_000) / 2);
    const done = { state: 'finished', total: listed.length, done: listed.length, skipped: 0, failed: 0 };
    expect(replayed.json()).toMatchObject({ kind: 'operator_dead_letter_replay', pace_per_second: 2, ...done });
    const none = await run('dlq', 'replay', ...filter, '--channel', 'sms');
    expect([none.code, none.stdout]).toEqual([0, 'Replayed 0 dead letters of 0.\n']);
    const again = await run('dlq', 'replay', ...listed);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining(`Skipped ${listed.length}:`)]);
    const missing = await run('dlq', 'replay', tenant.id, '--json');
    expect([missing.code, missing.json().failures[0].code]).toEqual([5, 'not_found']);
    const unknown = await run('dlq', 'replay', '--tenant', tenant.id, '--provider', 'twillio');
    expect([unknown.code, unknown.stderr]).toEqual([
      3,
      expect.stringMatching(/^Validation failed: \/filter\/provider: .*"twillio"/),
    ]);
  });

  it('leaves the job running on Ctrl-C, shows its progress and stops it', async () => {
    const target = await environment.tenant();
    for (const recipient of ['c1', 'c2', 'c3']) await target.send(simulated('rejected', recipient));
    const count = async (): Promise<number> =>
      (await target.call('GET', '/api/v1/dead-letters/count?unreplayed=true')).body.count;
    await until('they are dead letters', async () => (await count()) === 3);
    const replay = ['dlq', 'replay', '--tenant', target.id, '--pace', '0.01'];
    const started = startCarillon(replay, own());
    await until('the first one is replayed', async () => {
      const { body } = await target.call('GET', '/api/v1/dead-letters?unreplayed=false');
      return body.data.length === 1;
    });
    started.child.kill('SIGINT');
    const { code, stdout, stderr } = await started.done;
    const id = /--stop (\S+)/.exec(stderr)![1]!;
    expect([code, stdout, stderr]).toEqual([
      130,
      '',
      `Interrupted. The replay ${id} goes on in the workers.\n` +
        `  carillon dlq replay --status ${id}\n  carillon dlq replay --stop ${id}\n`,
    ]);
    const shown = await run('dlq', 'replay', '--status', id);
    expect([shown.code, shown.stdout]).toEqual([0, `The replay ${id} is running: 1 of 3 done, 0 skipped, 0 failed.\n`]);
    const dry = await run('dlq', 'replay', '--stop', id, '--dry-run', '--json');
    expect([dry.code, dry.error().code]).toEqual([2, 'usage']);
    expect((await run('dlq', 'replay', '--stop', id, '--json')).json()).toMatchObject({ state: 'cancelled', done: 1 });
    const ended = await until('it has ended', async () => {
      const one = await run('dlq', 'replay', '--status', id, '--json');
      return one.json().finished_at === null ? null : one.json();
    });
    expect(ended).toMatchObject({ state: 'cancelled', total: 3, done: 1 });
    const late = await run('dlq', 'replay', '--stop', target.id, '--json');
    expect([late.code, late.error().code]).toEqual([3, 'not_found']);
  });

  it("uses the tenant's routes with an API key", async () => {
    const target = await environment.tenant();
    const sent = await target.send(simulated('rejected', 'own'));
    await until('it is a dead letter', async () => {
      return (await target.call('GET', '/api/v1/dead-letters')).body.data.length === 1;
    });
    const keyOnly = { CARILLON_URL: environment.url, CARILLON_API_KEY: target.apiKey };
    const listed = await carillon(['dlq', 'list', '--json'], keyOnly);
    expect(listed.json().data).toMatchObject([{ notification_id: sent.id, recipient_id: 'own' }]);
    // An option wins over the variable of the admin token.
    const replayed = await run('dlq', 'replay', '--all', '--api-key', target.apiKey, '--json');
    expect(replayed.json()).toMatchObject({ kind: 'dead_letter_replay', state: 'finished', total: 1, done: 1 });
    const jobs = (await target.call('GET', '/api/v1/jobs')).body.data;
    expect(jobs.map(({ id }: Json) => id)).toEqual([replayed.json().id]);
    const shown = await carillon(['dlq', 'replay', '--status', jobs[0].id, '--json'], keyOnly);
    expect(shown.json()).toMatchObject({ id: jobs[0].id, state: 'finished' });
  });
});
