// The command itself: help, the roles, and an embedded Carillon that commands find by CARILLON_HOME.

import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { cloneDatabase, until } from '#testing';
import { commandLine } from '../../apps/carillon/src/command-line/command-line.js';
import { freePort } from '../../services/programs.ts';
import { blocksOf } from '../documentation/page-script.js';
import { carillon, type StartedCommand, startCarillon } from './run-carillon.js';

const HELP_LIMIT_MS = 300;

function* commandsIn(command: Command, path: readonly string[] = []): Generator<[string, Command]> {
  for (const one of command.commands) {
    const place = [...path, one.name()];
    if (one.commands.length === 0) yield [place.join(' '), one];
    yield* commandsIn(one, place);
  }
}

describe('carillon', { timeout: 60_000 }, () => {
  it(`shows its help within ${HELP_LIMIT_MS} ms, because it does not load the product`, async () => {
    const times: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const startedAt = performance.now();
      const { code, stdout } = await carillon(['--help']);
      times.push(performance.now() - startedAt);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^Usage: carillon.*Exit codes: 0 done/s)]);
    }
    // The fastest: other tests run at the same time.
    expect(Math.min(...times)).toBeLessThan(HELP_LIMIT_MS);
  });

  it('prints its version, and refuses a Node that is too old with the version that it needs', async () => {
    const { version, engines } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
      version: string;
      engines: { node: string };
    };
    expect(await carillon(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
    const old = encodeURIComponent("Object.defineProperty(process, 'versions', { value: { node: '20.20.2' } })");
    const { code, stderr } = await carillon(['--version'], { NODE_OPTIONS: `--import=data:text/javascript,${old}` });
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`Carillon needs Node ${engines.node.slice(2)} or newer`),
    ]);
  });

  it('has examples and, except for roles, --json for every command; the guide has all of them', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    const commands = [...commandsIn(commandLine())];
    expect(commands.map(([name]) => name).sort()).toEqual(
      [...guide.matchAll(/^### `carillon ([a-z -]+)`$/gm)].map(([, name]) => name!).sort(),
    );
    for (const [name, command] of commands) {
      let help = '';
      command
        .configureOutput({
          writeOut: (text) => {
            help += text;
          },
        })
        .outputHelp();
      const section = guide.split(`### \`carillon ${name}\`\n`)[1]!.split('\n### ')[0]!;
      const [, examples = 'none'] = /\nExamples:\n((?: {2}\S.*\n?)+)/.exec(help) ?? [];
      expect(blocksOf(section), name).toMatchObject([
        { language: 'sh', text: examples.replaceAll(/^ {2}/gm, '').trimEnd() },
      ]);
      const options = command.options.map(({ long }) => long!).sort();
      expect([...section.matchAll(/^\| `(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option!).sort(), name).toEqual(
        options,
      );
      if (!['start', 'api', 'worker'].includes(name)) expect(options, name).toContain('--json');
    }
  });

  it('reports a current database as migrated, in JSON and as text, and a missing DATABASE_URL with 2', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const environment = { DATABASE_URL: clone.url };
    const current = await carillon(['migrate', '--json'], environment);
    expect([current.code, current.json()]).toEqual([0, { applied: [] }]);
    const text = await carillon(['migrate'], environment);
    expect(text.stdout).toBe('Nothing to migrate: the database is current.\n');
    const none = await carillon(['migrate', '--json'], {});
    expect([none.code, none.error().code]).toEqual([2, 'config_error']);
    await clone.drop();
  });
});

describe('an embedded Carillon', { timeout: 120_000 }, () => {
  let home: string;
  let started: StartedCommand;
  let environment: Record<string, string>;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'carillon-local-'));
    chmodSync(home, 0o700);
    // With a listener of its own for the operator's routes: the commands must find that one too.
    const ports = {
      PORT: String(await freePort()),
      METRICS_PORT: String(await freePort()),
      INTERNAL_PORT: String(await freePort()),
    };
    environment = { CARILLON_HOME: home };
    started = startCarillon(['start'], { ...environment, ...ports, LOG_LEVEL: 'error' });
    await until('it is ready', () => started.stdout().includes('Carillon is ready on'), 60_000);
  }, 70_000);
  afterAll(async () => {
    started.child.kill('SIGTERM');
    await started.done;
    rmSync(realpathSync(join(home, 'postgres')), { recursive: true, force: true });
    rmSync(home, { recursive: true, force: true });
  });

  it('is used by every command without an address and without credentials', async () => {
    expect(statSync(join(home, 'api.json')).mode & 0o777).toBe(0o600);
    const args = [
      'send',
      '-r',
      'user-123',
      '-c',
      'email',
      '-t',
      'welcome',
      '-p',
      '{"name": "A"}',
      '--wait',
      '20',
      '--json',
    ];
    const sent = await carillon(args, environment);
    expect([sent.code, sent.stderr, sent.json().status]).toEqual([0, '', 'sent']);
    expect((await carillon(['dlq', 'list', '--json'], environment)).json()).toEqual({ data: [] });
    expect((await carillon(['templates', 'pull', join(home, 'templates'), '--json'], environment)).code).toBe(0);
    const doctor = await carillon(['doctor', '--json'], environment);
    expect([doctor.code, doctor.json().healthy]).toEqual([0, true]);
  });

  it('does not send its credentials to an address that was given', async () => {
    const given = { ...environment, CARILLON_URL: /ready on (\S+)/.exec(started.stdout())![1]! };
    for (const args of [['tail'], ['dlq', 'list']]) {
      const refused = await carillon(args, given);
      expect([refused.code, refused.stderr], args.join(' ')).toEqual([
        2,
        expect.stringMatching(/^No (API key|admin token):/),
      ]);
    }
  });

  it('is not found after its stop', async () => {
    started.child.kill('SIGTERM');
    await started.done;
    expect(existsSync(join(home, 'api.json'))).toBe(false);
    const { code, stderr } = await carillon(['tail'], environment);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^No address: .* there is none in /)]);
  });
});
