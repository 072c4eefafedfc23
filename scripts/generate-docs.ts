// npm run docs            writes docs/openapi.json, docs/asyncapi.yaml, docs/configuration.md, .env.example and the
//                         dashboards of Grafana from the code
// npm run docs -- --check  fails if one of them is out of date

import { readFileSync, writeFileSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { stringify } from 'yaml';
import { z } from 'zod';
import { secretSettings, settingsSchema } from '#config';
import { asyncApiDocument } from '#messaging';
import { createLogger } from '#telemetry';
import { ApiModule } from '../apps/api/src/api.module.js';
import { createAdapter } from '../apps/api/src/http/http-server.js';
import { openApiDocument } from '../apps/api/src/http/openapi.js';
import { sendBody } from '../apps/api/src/notifications/notification.schema.js';
import { toGrafana } from './dashboards/dashboard.js';
import { dashboards } from './dashboards/dashboards.js';

const check = process.argv.includes('--check');
const files: Record<string, string> = {
  'docs/openapi.json': `${JSON.stringify(await openApi(), null, 2)}\n`,
  'docs/asyncapi.yaml': asyncApi(),
  'docs/configuration.md': configuration(),
  '.env.example': environmentExample(),
  ...grafanaDashboards(),
};
const stale = Object.entries(files).filter(([file, text]) => readOrNothing(file) !== text);
if (!check) for (const [file, text] of stale) writeFileSync(file, text);
for (const [file] of stale) console.log(check ? `${file} is out of date: run \`npm run docs\`` : `wrote ${file}`);
process.exit(check && stale.length > 0 ? 1 : 0);

function asyncApi(): string {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const document = asyncApiDocument({ version, sendBody });
  return `# Generated from the code by \`npm run docs\`.\n${stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 })}`;
}

function grafanaDashboards(): Record<string, string> {
  const entries = Object.entries(dashboards).map(([name, dashboard]): [string, string] => [
    `deployments/grafana/dashboards/${name}.json`,
    `${JSON.stringify(toGrafana(dashboard), null, 2)}\n`,
  ]);
  return Object.fromEntries(entries);
}

async function openApi(): Promise<object> {
  // The app never listens and never connects; the document depends on the routes only.
  const config = {
    databaseUrl: 'postgresql://nowhere/none',
    databasePoolSize: 1,
    masterKey: Buffer.alloc(32),
    previousMasterKeys: [],
    adminToken: 'x',
    egressAllowedCidrs: [],
    trustedProxies: [],
    console: { enabled: true },
  };
  const logger = createLogger({ level: 'silent', role: 'docs' });
  const module = ApiModule.register({
    config: config as never,
    logger,
    redis: undefined,
    kafka: undefined,
    migrationsDirectory: 'prisma/migrations',
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter(config), {
    logger: false,
    abortOnError: false,
    bodyParser: false,
  });
  return openApiDocument(app);
}

interface Row {
  name: string;
  description: string;
  value: string;
}

function settings(): Row[] {
  return Object.entries(settingsSchema.shape).map(([name, schema]) => {
    const json = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }) as { default?: unknown };
    const value =
      json.default === undefined ? '' : Array.isArray(json.default) ? json.default.join(',') : String(json.default);
    return { name, description: schema.description ?? '', value };
  });
}

function configuration(): string {
  const rows = settings().map(({ name, description, value }) => {
    const secret = (secretSettings as readonly string[]).includes(name) ? ' Never logged.' : '';
    return `| \`${name}\` | ${value === '' ? '' : `\`${value}\``} | ${description}${secret} |`;
  });
  return `# Configuration

Environment variables are the only configuration of Carillon. All of them are checked at the start, and all errors are
reported at once by variable name; nothing starts then. An empty variable counts as unset.

This page is generated from \`libs/config/src/schema.ts\` by \`npm run docs\`.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

In the embedded profile (\`npm start\` without \`DATABASE_URL\`), missing values are generated once and stored under
\`CARILLON_HOME\`: \`secrets.json\` (master key and admin token), \`postgres/\` (the data) with \`postgres.json\` (its port
and password), \`demo.json\` (the demo tenant) and \`spool/\` (outcomes that could not be recorded yet). Variables that are
set take precedence.

Vendor credentials are data of tenants, not configuration: see \`POST /api/v1/provider-accounts\`.
`;
}

function environmentExample(): string {
  const rows = settings().map(({ name, description, value }) => `# ${description}\n#${name}=${value}\n`);
  return `# Every setting of Carillon with its default, commented out. Generated by \`npm run docs\`; see docs/configuration.md.\n\n${rows.join('\n')}`;
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
