// Searches everything that a test environment has written for the values that its tests watch.

import type pg from 'pg';
import { watched } from './watched-values.js';

/** Columns that exist to hold addresses and content. Secrets may be in no column, except sealed or as a digest. */
const HOLD_PERSONAL_DATA: Record<string, string[]> = {
  recipients: ['id', 'email', 'phone', 'attributes'],
  devices: ['token'],
  template_versions: ['content', 'sample_payload'],
  provider_accounts: ['credentials_masked'],
  mailbox_messages: ['recipient_address', 'message'],
  notifications: ['content', 'payload', 'metadata', 'ordering_key'],
  shared_contents: ['content', 'payload'],
  deliveries: ['address'],
  due_deliveries: ['ordering_key'],
  inbox_items: ['title', 'body', 'action_url', 'data'],
  suppressions: ['address'],
  // Until a worker has completed the erasure.
  erasures: ['addresses'],
  webhook_endpoints: ['url', 'description'],
  // Of `suppression.created`, which tells the tenant the address.
  events: ['data'],
  // The id of a recipient, which may be the address.
  rate_windows: ['key', 'recipient_id'],
  // The senders of provider accounts, and the names of operators. test/audit.e2e-spec.ts checks that it has no data of
  // recipients.
  audit_log: ['actor', 'before', 'after'],
  // The name of an operator.
  console_sessions: ['name'],
  // The request itself, so that its producer can be found and it can be sent again.
  poison_messages: ['key', 'value'],
};

export interface Written {
  logs: string;
  metrics: string;
  traces: string;
  sql: pg.Client;
}

/** Returns a line for each value that is where it must not be. */
export async function findLeaks({ logs, metrics, traces, sql }: Written): Promise<string[]> {
  return [
    ...new Set([
      ...watched.problemLeaks(),
      ...leaksInText('the logs', logs),
      ...leaksInText('the metrics', metrics),
      ...leaksInText('the traces', traces),
      ...(await leaksInTables(sql)),
    ]),
  ];
}

export function leaksInText(place: string, text: string): string[] {
  const found = [...watched.addressesIn(text), ...watched.payloadsIn(text)];
  return [...secretsInText(place, text), ...found.map((value) => excerpt(place, value, text))];
}

function secretsInText(place: string, text: string): string[] {
  return watched.secretsIn(text).map((value) => excerpt(place, value, text));
}

function excerpt(place: string, value: string, text: string): string {
  const at = text.indexOf(value);
  return `${place}: ${value} in …${text.slice(Math.max(0, at - 300), at + 100)}…`;
}

async function leaksInTables(sql: pg.Client): Promise<string[]> {
  const { rows: tables } = await sql.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition`,
  );
  const leaks: string[] = [];
  for (const { name } of tables.filter((table) => table.name !== '_prisma_migrations')) {
    const { rows } = await sql.query<{ row: Record<string, unknown> }>(`select to_jsonb(t) as row from "${name}" t`);
    leaks.push(
      ...leaksInTable(
        name,
        rows.map(({ row }) => row),
      ),
    );
  }
  return leaks;
}

function leaksInTable(table: string, rows: readonly Record<string, unknown>[]): string[] {
  return Object.keys(rows[0] ?? {}).flatMap((column) => {
    const place = `${table}.${column}`;
    const holdsPersonalData = column === 'recipient_id' || HOLD_PERSONAL_DATA[table]?.includes(column);
    if (holdsPersonalData) return secretsInText(place, rows.map((row) => decoded(row[column])).join('\n'));
    return leaksInText(place, rows.map((row) => withoutRecipient(decoded(row[column]), row)).join('\n'));
  });
}

/** The id of a recipient is the tenant's own, and some tenants use the address. */
function withoutRecipient(text: string, { recipient_id: recipient }: Record<string, unknown>): string {
  return typeof recipient === 'string' && recipient !== '' ? text.replaceAll(recipient, '') : text;
}

/** Text as it is; bytes as text, so that a value in a stored message is found. */
function decoded(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex').toString('latin1') : text;
}
