import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Environment, profileOf } from './load-config.js';
import { secretsFile } from './local-secrets.js';

/** Where a Carillon that `npm start` runs on this machine listens. */
interface LocalAddress {
  url: string;
  /** Of the operator's routes, with INTERNAL_PORT. */
  operatorUrl?: string | undefined;
}

/**
 * The files of CARILLON_HOME. They may come with the current folder, from anyone: send the address only the credentials
 * that are beside it, and only if it is on loopback.
 */
export interface LocalAccess {
  home: string;
  /** ADMIN_TOKEN, the user's own. */
  adminToken: string | undefined;
  /** Undefined if no Carillon runs with this home. After a process was killed, it may be that of an earlier one. */
  local: (LocalAddress & { apiKey: string | undefined; adminToken: string | undefined }) | undefined;
}

/** For commands that use a running Carillon. Reads files that `npm start` wrote; never creates one. */
export function localAccess(environment: Environment = process.env): LocalAccess {
  const { home, embedded } = profileOf(environment);
  const adminToken = environment.ADMIN_TOKEN || undefined;
  const address = embedded ? readJson<LocalAddress>(addressFile(home)) : undefined;
  if (!address) return { home, adminToken, local: undefined };
  const demo = readJson<{ apiKey: string }>(join(home, 'demo.json'));
  const secrets = readJson<{ adminToken: string }>(secretsFile(home));
  const { url, operatorUrl } = address;
  return { home, adminToken, local: { url, operatorUrl, apiKey: demo?.apiKey, adminToken: secrets?.adminToken } };
}

/** Written at each start in the embedded profile. */
export function writeLocalAddress(home: string, address: LocalAddress): void {
  writeFileSync(addressFile(home), `${JSON.stringify(address)}\n`, { mode: 0o600 });
}

/** For the stop. A file that cannot be removed does not hold it up. */
export function removeLocalAddress(home: string): void {
  try {
    rmSync(addressFile(home), { force: true });
  } catch {
    // The next start writes it again.
  }
}

function addressFile(home: string): string {
  return join(home, 'api.json');
}

function readJson<T>(file: string): T | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined;
}
