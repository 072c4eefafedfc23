import { usageError } from '../exit-codes.js';
import { type JsonOption, printNote } from '../output.js';
import { ApiClient } from './api-client.js';

export interface ConnectionOptions extends JsonOption {
  url?: string;
  apiKey?: string;
  adminToken?: string;
}

type Credential = 'api-key' | 'admin-token';

/** For a command that takes both: `isApiKeyGiven` if the API key is an option and not a variable. */
export interface EitherCredential extends ConnectionOptions {
  isApiKeyGiven?: boolean;
}

const HEADERS = { 'api-key': 'X-API-Key', 'admin-token': 'X-Admin-Token' } as const;
const NAMES = { 'api-key': 'API key', 'admin-token': 'admin token' } as const;
const VARIABLES = { 'api-key': 'CARILLON_API_KEY', 'admin-token': 'CARILLON_ADMIN_TOKEN, ADMIN_TOKEN' } as const;

/**
 * For commands of operators that tenants may use too: the API key if it is an option, or without an admin token. So a
 * variable never replaces what was written on the command line.
 */
export async function chosenCredential(options: EitherCredential): Promise<Credential> {
  if (options.isApiKeyGiven) return 'api-key';
  const { localAccess } = await import('#config');
  const hasToken = Boolean(options.adminToken || localAccess().adminToken);
  return hasToken || options.apiKey === undefined ? 'admin-token' : 'api-key';
}

/**
 * A client for the tenant's routes (`api-key`) or the operator's (`admin-token`). An address that was given gets the
 * credential that was given. Without both, the Carillon that `carillon start` runs under CARILLON_HOME is used, with
 * its demo key or its generated token. Never one with the other: the home is a folder of the current one by default,
 * and a repository of a stranger may have brought it.
 */
export async function connect(options: ConnectionOptions, needed: Credential): Promise<ApiClient> {
  const { localAccess } = await import('#config');
  const { home, adminToken, local } = localAccess();
  const given = (needed === 'api-key' ? options.apiKey : options.adminToken || adminToken) || undefined;
  if (options.url !== undefined) {
    if (!isHttpUrl(options.url))
      throw usageError(`The address must be a URL like http://127.0.0.1:8080, got ${JSON.stringify(options.url)}.`);
    return client(options.url, needed, given);
  }
  if (given !== undefined)
    throw usageError(
      `No address: set CARILLON_URL or --url. Your ${NAMES[needed]} is sent only to an address that you give; a ` +
        'Carillon that `carillon start` runs is used with its own credentials only.',
    );
  if (!local)
    throw usageError(
      `No address: set CARILLON_URL or --url. Without it, a Carillon that \`carillon start\` runs is used, and there ` +
        `is none in ${home}.`,
    );
  const url = needed === 'admin-token' ? (local.operatorUrl ?? local.url) : local.url;
  const credential = needed === 'api-key' ? local.apiKey : local.adminToken;
  const origin = loopbackOrigin(url, home);
  if (!options.json) printNote(`Uses the Carillon on ${origin}, found in ${home}.`);
  return client(origin, needed, credential);
}

function client(url: string, needed: Credential, credential: string | undefined): ApiClient {
  if (credential === undefined) throw usageError(`No ${NAMES[needed]}: set ${VARIABLES[needed]} or --${needed}.`);
  return new ApiClient(url, { [HEADERS[needed]]: credential });
}

/** Without a path and a query, which would lead requests to routes of another program. */
function loopbackOrigin(url: unknown, home: string): string {
  if (typeof url === 'string' && isHttpUrl(url)) {
    const { hostname, origin } = new URL(url);
    if (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) return origin;
  }
  throw usageError(
    `The address ${JSON.stringify(url)} in ${home} is not a loopback address: give it with CARILLON_URL or --url, ` +
      'and the credential too.',
  );
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
