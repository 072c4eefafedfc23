import { isId } from '#domain';
import { type ConnectionOptions, connect } from './api/connection.js';
import { usageError } from './exit-codes.js';
import { type JsonOption, printNote, printResult, table } from './output.js';

interface KeysRun extends ConnectionOptions, JsonOption {
  tenant: string;
}
export type ListRun = KeysRun;
export interface CreateRun extends KeysRun {
  name: string;
  mode: string;
  scopes?: string[];
  allowedIps?: string[];
  expiresAt?: string;
}
export interface RotateRun extends KeysRun {
  overlapSeconds: number;
  expiresAt?: string;
}

interface Key {
  id: string;
  key_id: string;
  name: string;
  mode: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

export async function createKey(options: CreateRun): Promise<void> {
  const client = await connect(options, 'admin-token');
  const body = {
    name: options.name,
    mode: options.mode,
    scopes: options.scopes,
    allowed_ips: options.allowedIps,
    expires_at: options.expiresAt,
  };
  printNewKey(options, await client.request('POST', keysOf(options), { body }));
}

export async function rotateKey(id: string, options: RotateRun): Promise<void> {
  const client = await connect(options, 'admin-token');
  const body = { overlap_seconds: options.overlapSeconds, expires_at: options.expiresAt };
  const path = `${keysOf(options)}/${idOf('<key-id>', id)}/rotate`;
  printNewKey(options, await client.request('POST', path, { body }));
}

export async function listKeys(options: ListRun): Promise<void> {
  const client = await connect(options, 'admin-token');
  const keys: Key[] = [];
  for await (const key of client.list<Key>(keysOf(options), {})) keys.push(key);
  printResult(options, { data: keys }, () =>
    table(
      ['id', 'key', 'mode', 'name', 'expires', 'revoked', 'last used'],
      keys.map((key) => [
        key.id,
        `car_${key.mode}_${key.key_id}…`,
        key.mode,
        key.name,
        key.expires_at,
        key.revoked_at,
        key.last_used_at,
      ]),
    ),
  );
}

/** The key alone on standard output, so that a shell can read it. */
function printNewKey(options: JsonOption, key: Key & { api_key: string }): void {
  printResult(options, key, () => key.api_key);
  if (!options.json) printNote(`This is the key ${key.name} (${key.id}). It is shown only now.`);
}

function keysOf({ tenant }: KeysRun): string {
  return `/internal/tenants/${idOf('--tenant', tenant)}/api-keys`;
}

/** Checked here, because the API would name the parameter of its route. */
function idOf(name: string, text: string): string {
  if (!isId(text)) throw usageError(`${name} must be a UUID, got ${JSON.stringify(text)}.`);
  return text;
}
