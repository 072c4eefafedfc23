import { existsSync } from 'node:fs';
import { readAddress } from './server-address.js';

/**
 * The URL of a database of the server that runs on this directory; undefined if none ever has. The file may come with
 * the current folder, from anyone. So it gives no host but 127.0.0.1, and no empty password: PGPASSWORD would be sent
 * instead.
 */
export function embeddedPostgresUrl(directory: string, database: string): string | undefined {
  const file = `${directory}.json`;
  if (!existsSync(file)) return undefined;
  const { port, password } = readAddress(file);
  const isUsable = Number.isInteger(port) && port > 0 && port < 65_536 && typeof password === 'string';
  if (!isUsable || !/^[\w-]+$/.test(password))
    throw new Error(`${file} has no valid port and password. Set DATABASE_URL, or another CARILLON_HOME.`);
  return `postgresql://carillon:${password}@127.0.0.1:${port}/${database}`;
}
