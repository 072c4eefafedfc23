import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Environment, profileOf } from './load-config.js';
import { secretsFile } from './local-secrets.js';

/** The address and the credentials of a Carillon that `npm start` runs on this machine. */
export interface LocalAccess {
  home: string;
  /** ADMIN_TOKEN. */
  adminToken: string | undefined;
  /** Undefined if this home has never had an embedded Carillon. */
  local: { url: string; apiKey: string | undefined; adminToken: string | undefined } | undefined;
}

/** For commands that use a running Carillon. Reads files that `npm start` wrote; never creates one. */
export function localAccess(environment: Environment = process.env): LocalAccess {
  const { home, embedded } = profileOf(environment);
  const adminToken = environment.ADMIN_TOKEN || undefined;
  const address = embedded ? readJson<{ url: string }>(addressFile(home)) : undefined;
  if (!address) return { home, adminToken, local: undefined };
  const demo = readJson<{ apiKey: string }>(join(home, 'demo.json'));
  const secrets = readJson<{ adminToken: string }>(secretsFile(home));
  return { home, adminToken, local: { url: address.url, apiKey: demo?.apiKey, adminToken: secrets?.adminToken } };
}

/** Written at each start in the embedded profile. */
export function writeLocalAddress(home: string, url: string): void {
  writeFileSync(addressFile(home), `${JSON.stringify({ url })}\n`, { mode: 0o600 });
}

function addressFile(home: string): string {
  return join(home, 'api.json');
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}
