// Prometheus and promtool for tests, from Debian's package. It is unpacked, not installed: the installed package starts
// a server on port 9090.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, onPath, run } from './programs.ts';

export interface PrometheusPrograms {
  prometheus: string;
  promtool: string;
}

export interface PrometheusOptions {
  directory: string;
  /** The targets (`host:port`) of each scrape job. */
  jobs: Readonly<Record<string, readonly string[]>>;
  /** Files of rules in the directory. */
  rules?: readonly string[];
  /** Between two scrapes of a target, and two evaluations of the rules. Default: 1. */
  intervalSeconds?: number;
}

export interface PrometheusService {
  url: string;
  stop(): Promise<void>;
}

/** The programs on the PATH, or those of the package, which is downloaded once into `directory`. */
export async function fetchPrometheus(directory: string): Promise<PrometheusPrograms> {
  if (onPath('prometheus') && onPath('promtool')) return { prometheus: 'prometheus', promtool: 'promtool' };
  const wanted = join(directory, 'prometheus');
  const programs = { prometheus: join(wanted, 'usr/bin/prometheus'), promtool: join(wanted, 'usr/bin/promtool') };
  if (existsSync(wanted)) return programs;
  if (!onPath('apt-get') || !onPath('dpkg'))
    throw new Error(
      'no prometheus and promtool on the PATH, and no apt-get to fetch them with (see prometheus.io/download)',
    );
  const fresh = `${wanted}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  await run('apt-get', ['download', 'prometheus'], { cwd: fresh }).catch(async (error: Error) => {
    throw new Error(`apt-get could not download prometheus; run apt-get update first: ${error.message}`);
  });
  const archive = readdirSync(fresh).find((name) => name.endsWith('.deb'));
  if (!archive) throw new Error(`apt-get downloaded no package into ${fresh}`);
  await run('dpkg', ['-x', archive, '.'], { cwd: fresh });
  rmSync(join(fresh, archive));
  // A rename is atomic: no other process sees an incomplete folder.
  try {
    renameSync(fresh, wanted);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(wanted)) throw error;
  }
  return programs;
}

/** Starts Prometheus on the loopback interface. */
export async function startPrometheus(
  { prometheus }: PrometheusPrograms,
  { directory, jobs, rules = [], intervalSeconds = 1 }: PrometheusOptions,
): Promise<PrometheusService> {
  mkdirSync(directory, { recursive: true });
  const scrapes = Object.entries(jobs).map(([name, targets]) => ({
    job_name: name,
    static_configs: [{ targets }],
  }));
  const interval = `${intervalSeconds}s`;
  // JSON is YAML.
  const settings = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: rules,
    scrape_configs: scrapes,
  };
  writeFileSync(join(directory, 'prometheus.yaml'), JSON.stringify(settings));
  const port = await freePort();
  const child = spawn(
    prometheus,
    [
      `--config.file=${join(directory, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const url = `http://127.0.0.1:${port}`;
  await untilReady(url, child);
  return { url, stop: () => stop(child) };
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  const until = performance.now() + 30_000;
  for (;;) {
    const answer = await fetch(`${url}/-/ready`).catch(() => null);
    if (answer?.ok) return;
    if (child.exitCode !== null) throw new Error(`Prometheus ended with ${child.exitCode}`);
    if (performance.now() > until) throw new Error('Prometheus is not ready after 30 s');
    await delay(100);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}
