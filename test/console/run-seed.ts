// npm run seed:console -- 1000000: makes a tenant with so many deliveries for a running API, to try the console on.

import { makeSealed } from './make-sealed.ts';
import { seedConsole } from './seed-console.ts';

const {
  DATABASE_URL: databaseUrl,
  ADMIN_TOKEN: adminToken,
  CARILLON_URL: url = 'http://localhost:3000',
  CARILLON_INTERNAL_URL: internalUrl = url,
} = process.env;
const deliveries = Number(process.argv[2] ?? 1_000_000);
if (!databaseUrl || !adminToken || !Number.isInteger(deliveries) || deliveries < 1) {
  console.error(`Usage: npm run seed:console -- <deliveries>
Environment: DATABASE_URL and ADMIN_TOKEN of the running API, CARILLON_URL (default http://localhost:3000), and
CARILLON_INTERNAL_URL if /internal has a port of its own.`);
  process.exit(1);
}

async function call(base: string, method: string, path: string, request: { headers: object; body?: unknown }) {
  const response = await fetch(base + path, {
    method,
    headers: { 'Content-Type': 'application/json', ...request.headers },
    body: JSON.stringify(request.body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}

async function made(path: string, body: unknown): Promise<Record<string, string>> {
  const answer = await call(internalUrl, 'POST', path, { headers: { 'X-Admin-Token': adminToken! }, body });
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const startedAt = Date.now();
const tenant = await made('/internal/tenants', { name: 'Console' });
const { api_key: apiKey } = await made(`/internal/tenants/${tenant['id']}/api-keys`, { name: 'Console' });
await makeSealed((method, path, body) => call(url, method, path, { headers: { 'X-API-Key': apiKey! }, body }));
await seedConsole({ databaseUrl, tenantId: tenant['id']!, deliveries });
console.log(`Tenant ${tenant['id']}, API key ${apiKey}: ${Math.round((Date.now() - startedAt) / 1000)} s`);
