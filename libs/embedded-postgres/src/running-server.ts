import { existsSync } from 'node:fs';
import { readAddress } from './server-address.js';

/** The URL of a database of the server that runs on this directory; undefined if none ever has. */
export function embeddedPostgresUrl(directory: string, database: string): string | undefined {
  const file = `${directory}.json`;
  if (!existsSync(file)) return undefined;
  const { port, password } = readAddress(file);
  return `postgresql://carillon:${password}@127.0.0.1:${port}/${database}`;
}
