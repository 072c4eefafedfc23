import type { ApiClient } from '../api/api-client.js';
import { chosenCredential, connect, type EitherCredential } from '../api/connection.js';
import { usageError } from '../exit-codes.js';

/** The routes of the operator, or with an API key those of its tenant. */
export interface DlqClient {
  client: ApiClient;
  /** The path of the dead letters. */
  path: string;
}

export async function connectDlq(options: EitherCredential & { tenant?: string }): Promise<DlqClient> {
  const credential = await chosenCredential(options);
  if (credential === 'admin-token') return { client: await connect(options, credential), path: '/internal/dlq' };
  if (options.tenant !== undefined)
    throw usageError('--tenant needs the admin token: an API key sees the dead letters of its own tenant only.');
  return { client: await connect(options, credential), path: '/api/v1/dead-letters' };
}
