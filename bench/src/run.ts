// npm run bench -- [--only B1,B4] [--size smoke|small|full] [--profile FOLDER] [--out FILE] [--minutes N] [--rate N]
// (--minutes and --rate apply to the soak, B13)

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { b1 } from './b1-accept.ts';
import { b2 } from './b2-bulk.ts';
import { b3 } from './b3-accept-to-sent.ts';
import { b4 } from './b4-drain.ts';
import { b5 } from './b5-broadcast.ts';
import { b6 } from './b6-sockets.ts';
import { b7 } from './b7-reconnect.ts';
import { b9 } from './b9-schedule.ts';
import { b10 } from './b10-growth.ts';
import { b11 } from './b11-neighbour.ts';
import { b12 } from './b12-bad-provider.ts';
import { b13 } from './b13-soak.ts';
import { b14 } from './b14-crash.ts';
import { b15 } from './b15-footprint.ts';
import { b16 } from './b16-vendor.ts';
import { b17 } from './b17-replays.ts';
import { b18 } from './b18-receipts.ts';
import { b19 } from './b19-reads.ts';
import { b20 } from './b20-backlog.ts';
import { b21 } from './b21-recurring.ts';
import { b22 } from './b22-traces.ts';
import { BenchEnvironment } from './bench-environment.ts';
import { calibrate } from './calibration.ts';
import type { Figures, Size } from './scenario.ts';
import { Services } from './services.ts';

const scenarios = [b1, b2, b3, b4, b5, b6, b7, b9, b10, b11, b12, b13, b14, b15, b16, b17, b18, b19, b20, b21, b22];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    size: { type: 'string', default: 'small' },
    profile: { type: 'string' },
    out: { type: 'string' },
    minutes: { type: 'string' },
    rate: { type: 'string' },
  },
});
if (!['smoke', 'small', 'full'].includes(values.size))
  throw new Error(`--size must be smoke, small or full, got ${values.size}`);
const only = values.only?.split(',').map((id) => id.trim().toUpperCase());
const unknown = only?.filter((id) => !scenarios.some((scenario) => scenario.id === id)) ?? [];
if (unknown.length > 0)
  throw new Error(`--only knows ${scenarios.map(({ id }) => id).join(', ')}; got ${unknown.join(', ')}`);
const soak = {
  ...(values.minutes !== undefined && { minutes: Number(values.minutes) }),
  ...(values.rate !== undefined && { rate: Number(values.rate) }),
};
const profiles = values.profile && resolve(values.profile);
if (profiles) mkdirSync(profiles, { recursive: true });

const machine = calibrate();
console.log(
  Object.entries(machine)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · '),
);
const startedAt = performance.now();
const say = (text: string): void =>
  console.log(`  ${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(4)} s  ${text}`);

const out = resolve(
  values.out ?? join(import.meta.dirname, '../results', `${new Date().toISOString().replaceAll(':', '-')}.json`),
);
mkdirSync(dirname(out), { recursive: true });
/** Written after each scenario, so that an aborted run keeps its results. */
const write = (results: Figures[]): void =>
  writeFileSync(
    out,
    `${JSON.stringify({ at: new Date().toISOString(), size: values.size, machine, results }, null, 2)}\n`,
  );
const services = new Services();
const results: Figures[] = [];
try {
  for (const scenario of scenarios.filter(({ id }) => !only || only.includes(id))) {
    console.log(`\n${scenario.id} ${scenario.title}`);
    // Each scenario has its own database.
    const product = await BenchEnvironment.open();
    try {
      results.push(await scenario.run({ product, services, size: values.size as Size, say, profiles, soak }));
      write(results);
    } finally {
      await product.close();
    }
  }
} finally {
  await services.close();
}

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(value >= 10 ? 1 : 2);
await services.close();
console.log(
  '\n| id | figure | Carillon | limit in this run | ratio | alternative | targets on 2 cores |\n|---|---|---|---|---|---|---|',
);
for (const { id, headline, limit, peers, ratio, targets } of results) {
  const alternatives = peers.map(({ name, value }) => `${name} ${number(value)}`).join('; ');
  const met = targets.map(({ name, met: yes }) => `${yes ? 'met' : 'MISSED'}: ${name}`).join('; ');
  console.log(
    `| ${id} | ${headline.name} | ${number(headline.value)} ${headline.unit} | ${limit ? `${number(limit.value)} (${limit.name})` : ''} | ${ratio === null ? '' : ratio.toFixed(2)} | ${alternatives} | ${met} |`,
  );
}
for (const { id, figures } of results)
  console.log(
    `\n${id}: ${Object.entries(figures)
      .map(([name, value]) => `${name} ${number(value)}`)
      .join(' · ')}`,
  );

console.log(`\nWritten to ${out}`);

// The smoke size checks ratios, never times, because the speed of a shared machine varies between runs.
const low = results.filter(
  ({ ratio, floor }) => values.size === 'smoke' && ratio !== null && floor !== null && ratio < floor,
);
for (const { id, ratio, floor } of low)
  console.error(`${id}: the ratio to the limit is ${ratio!.toFixed(3)}, below the floor of ${floor}`);
process.exit(low.length > 0 ? 1 : 0);
