import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../services/programs.ts';
import { rss } from './b6-sockets.ts';
import { load } from './bench-environment.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const ROOT = join(import.meta.dirname, '../..');
const SIZES = {
  smoke: { starts: 1, requests: 1_000 },
  small: { starts: 3, requests: 20_000 },
  full: { starts: 5, requests: 50_000 },
};
/** The same command as `npm start`. */
const FLAGS = ['--max-semi-space-size=4'];
const MEGABYTE = 1_048_576;

export const b15: Scenario = {
  id: 'B15',
  title: 'footprint: the all-in-one from nothing to its first 202, and its memory when idle and after a load',
  async run({ size, say }: Context): Promise<Figures> {
    const { starts, requests } = SIZES[size];
    const [times, again, idle, loaded, postgres]: number[][] = [[], [], [], [], []];
    for (let start = 0; start < starts; start += 1) {
      const home = mkdtempSync(join(tmpdir(), 'carillon-footprint-'));
      const first = await launch(home);
      times!.push(first.ms);
      await delay(3_000);
      idle!.push(rss(first.pid) / MEGABYTE);
      postgres!.push(pssOf(postmaster(home)) / MEGABYTE);
      if (start === 0) {
        const order = {
          port: first.port,
          path: '/api/v1/notifications',
          connections: 32,
          headers: { 'X-API-Key': first.apiKey },
          body: '{"recipient_id":"user-{n}","channel":"in_app","content":{"title":"Hello","body":"There"}}',
          recipients: 1,
          requests: Math.min(requests, 5_500),
        };
        const result = await load(order);
        check('requests answered with 202', result.statuses['202'] ?? 0, order.requests);
        loaded!.push(rss(first.pid) / MEGABYTE);
      }
      await first.stop();
      const second = await launch(home);
      again!.push(second.ms);
      await second.stop();
      rmSync(home, { recursive: true, force: true });
      say(
        `start ${start + 1} of ${starts}: first 202 after ${(times!.at(-1)! / 1_000).toFixed(1)} s, again after ${(again!.at(-1)! / 1_000).toFixed(1)} s; idle ${idle!.at(-1)!.toFixed(0)} MB and Postgres ${postgres!.at(-1)!.toFixed(0)} MB`,
      );
    }
    const seconds = median(times!) / 1_000;
    return {
      id: 'B15',
      work: this.title,
      figures: {
        first_202_s: seconds,
        first_202_again_s: median(again!) / 1_000,
        idle_mb: median(idle!),
        loaded_mb: median(loaded!),
        postgres_mb: median(postgres!),
      },
      headline: { name: 'npm start to the first 202, initdb included', value: seconds, unit: 's' },
      limit: null,
      peers: [],
      ratio: null,
      floor: null,
      targets: [
        { name: 'first 202 ≤ 3 s', met: seconds <= 3 },
        { name: 'idle ≤ 200 MB', met: median(idle!) <= 200 },
      ],
    };
  },
};

async function launch(
  home: string,
): Promise<{ ms: number; pid: number; port: number; apiKey: string; stop(): Promise<void> }> {
  const port = await freePort();
  const startedAt = performance.now();
  const { DATABASE_URL: _none, ...environment } = process.env;
  const child = spawn(process.execPath, [...FLAGS, join(ROOT, 'dist/apps/carillon/src/main.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...environment,
      NODE_ENV: 'development',
      CARILLON_HOME: home,
      PORT: String(port),
      METRICS_PORT: '0',
      LOG_LEVEL: 'error',
    },
  });
  let output = '';
  const apiKey = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('Carillon is ready')) resolve(/car_live_\w+/.exec(output)![0]);
    });
    child.once('exit', (code) => reject(new Error(`the all-in-one ended with ${code}: ${output.slice(-1_000)}`)));
  });
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/notifications`, {
    method: 'POST',
    headers: { 'X-API-Key': apiKey, 'Content-Type': 'application/json' },
    body: '{"recipient_id":"user-123","channel":"in_app","content":{"title":"Hello","body":"There"}}',
  });
  check('the status of the first answer', answer.status, 202);
  return {
    ms: performance.now() - startedAt,
    pid: child.pid!,
    port,
    apiKey,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

function postmaster(home: string): number {
  return Number(readFileSync(join(home, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]);
}

/** Memory of a process and its descendants in bytes; shared pages count once (PSS). */
function pssOf(pid: number): number {
  let sum = 0;
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      parents.set(Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1]!.split(' ')[1]));
    } catch {}
  }
  const below = (process: number): boolean => {
    const parent = parents.get(process);
    return parent !== undefined && (parent === pid || below(parent));
  };
  for (const process of parents.keys()) {
    if (process !== pid && !below(process)) continue;
    try {
      sum += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${process}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1_024;
    } catch {}
  }
  return sum;
}
