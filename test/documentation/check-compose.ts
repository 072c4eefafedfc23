// Checks a command line of `docker compose` against its file: its profiles and services exist, and the variables that
// they require are exported.
//
//   node test/documentation/check-compose.ts compose -f deployments/compose.yaml --profile minimal up --build

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';

const { values, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: {
    file: { type: 'string', short: 'f' },
    profile: { type: 'string', multiple: true, default: [] },
    // Of `up`.
    build: { type: 'boolean' },
    detach: { type: 'boolean', short: 'd' },
    wait: { type: 'boolean' },
    scale: { type: 'string' },
  },
});
const text = readFileSync(values.file!, 'utf8');
const { services } = parse(text, { merge: true }) as { services: Record<string, { profiles: string[] }> };
const [command, ...named] = positionals;
const profiles = new Set(Object.values(services).flatMap((service) => service.profiles));
const faults = [
  ...(command === 'up' ? [] : [`${command}: only \`up\` is known here`]),
  ...values.profile.filter((profile) => !profiles.has(profile)).map((profile) => `there is no profile ${profile}`),
  ...named.filter((name) => !(name in services)).map((name) => `there is no service ${name}`),
  ...(values.profile.length + named.length > 0 ? [] : ['without a profile or a service nothing starts']),
  // Compose reads the whole file, also for a service that needs none of them.
  ...[...text.matchAll(/\$\{(\w+):\?/g)]
    .map(([, name]) => name!)
    .filter((name, index, all) => all.indexOf(name) === index && !process.env[name])
    .map((name) => `${name} is not set`),
];
for (const fault of faults) console.error(`docker compose: ${fault}`);
process.exitCode = faults.length === 0 ? 0 : 1;
