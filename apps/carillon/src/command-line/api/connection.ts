import { CommandError, usageError } from '../exit-codes.js';
import { ApiClient } from './api-client.js';

export interface ConnectionOptions {
  url?: string;
  apiKey?: string;
  adminToken?: string;
}

/**
 * A client for the tenant's routes (`api-key`) or the operator's (`admin-token`). Without `--url`, the Carillon that
 * `carillon start` runs under CARILLON_HOME is used, with its demo key or its generated token. These are never sent to
 * an address that was given.
 */
export async function connect(options: ConnectionOptions, needed: 'api-key' | 'admin-token'): Promise<ApiClient> {
  const { localAccess } = await import('#config');
  const { home, adminToken: configured, local } = localAccess();
  const url = options.url ?? local?.url;
  if (url === undefined)
    throw usageError(
      `No address: set CARILLON_URL or --url. Without it, a Carillon that \`carillon start\` runs is used, and there ` +
        `is none in ${home}.`,
    );
  checkUrl(url);
  const own = options.url === undefined ? local : undefined;
  if (needed === 'api-key') {
    const apiKey = options.apiKey ?? own?.apiKey;
    if (apiKey === undefined) throw usageError('No API key: set CARILLON_API_KEY or --api-key.');
    return new ApiClient(url, { 'X-API-Key': apiKey });
  }
  const token = options.adminToken ?? configured ?? own?.adminToken;
  if (token === undefined) throw usageError('No admin token: set CARILLON_ADMIN_TOKEN, ADMIN_TOKEN or --admin-token.');
  return new ApiClient(url, { 'X-Admin-Token': token });
}

function checkUrl(url: string): void {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new CommandError(`The address must be a URL like http://127.0.0.1:8080, got ${JSON.stringify(url)}.`, 2, {
      code: 'usage',
    });
}
