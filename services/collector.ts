// The OpenTelemetry Collector for tests, built from services/collector with the components that deployments/otel names.
//
//   node services/collector.ts        builds it into .services; needs go 1.25 or newer; 1 to 4 minutes

import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from './programs.ts';

const SOURCE = join(import.meta.dirname, 'collector');
const VERSION = /filelogreceiver v(\S+)/.exec(readFileSync(join(SOURCE, 'go.mod'), 'utf8'))?.[1] ?? '';

export interface CollectorService {
  /** Its own log. */
  output(): string;
  stop(): Promise<void>;
}

/** The reason why the tests cannot use it, or null if they can. */
export function collectorMissing(services: string): string | null {
  return existsSync(programIn(services)) ? null : 'the collector is not built: node services/collector.ts';
}

/** Builds it, unless it is in `services` already, and returns the path of the program. */
export async function buildCollector(services: string): Promise<string> {
  const program = programIn(services);
  if (existsSync(program)) return program;
  const fresh = `${program}.${process.pid}`;
  mkdirSync(services, { recursive: true });
  try {
    cpSync(SOURCE, fresh, { recursive: true });
    await run('go', ['mod', 'tidy'], { cwd: fresh });
    await run('go', ['build', '-ldflags=-s -w', '-o', 'program', '.'], { cwd: fresh });
    renameSync(join(fresh, 'program'), program);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return program;
}

function programIn(services: string): string {
  return join(services, `collector-${VERSION}`);
}

/** Checks a configuration. Throws an error with what is wrong with it. */
export async function validateConfig(program: string, file: string): Promise<void> {
  await run(program, ['validate', `--config=${file}`]);
}

/** Starts it with a configuration, of which `changes` replaces parts. `directory` is for its files. */
export async function startCollector(
  program: string,
  { directory, config, changes }: { directory: string; config: string; changes: object },
): Promise<CollectorService> {
  mkdirSync(directory, { recursive: true });
  // JSON is YAML.
  const changed = join(directory, 'changes.yaml');
  writeFileSync(changed, JSON.stringify(changes));
  const child = spawn(program, [`--config=${config}`, `--config=${changed}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const until = performance.now() + 30_000;
  while (!output.includes('Everything is ready')) {
    if (child.exitCode !== null) throw new Error(`the collector ended with ${child.exitCode}: ${output.slice(-2_000)}`);
    if (performance.now() > until) throw new Error(`the collector is not ready after 30 s: ${output.slice(-2_000)}`);
    await delay(50);
  }
  return { output: () => output, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

if (import.meta.main) console.log(await buildCollector(join(import.meta.dirname, '../.services')));
