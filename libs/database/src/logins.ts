// The two logins of a database: one for the work of one tenant, one for the work of all tenants. Neither may become the
// other, and neither owns anything (docs/adr/0027).

import { createHash, hkdfSync } from 'node:crypto';
import pg from 'pg';

type Role = 'carillon_tenant' | 'carillon_platform';

export interface LoginUrls {
  tenant: string;
  platform: string;
}

/** A login that migrations create. It has the privileges of its role and no others. */
export interface DerivedLogin {
  name: string;
  role: Role;
  /** Null if the database's URL has none: the server then authenticates in another way. */
  password: string | null;
  url: string;
}

/** Bytes; PostgreSQL cuts longer names. */
const MAX_NAME_LENGTH = 63;

/**
 * The logins of the database at this URL. Their passwords are derived from the password in the URL, or in PGPASSWORD,
 * so that each process that knows the URL knows them too.
 */
export function derivedLogins(databaseUrl: string): Record<'tenant' | 'platform', DerivedLogin> {
  const { database, password } = new pg.Client({ connectionString: databaseUrl });
  const login = (role: Role, suffix: string): DerivedLogin => {
    const name = loginName(database ?? '', suffix);
    const derived = password ? derivePassword(password, name) : null;
    return { name, role, password: derived, url: withLogin(databaseUrl, name, derived) };
  };
  return { tenant: login('carillon_tenant', '_tenant_login'), platform: login('carillon_platform', '_platform_login') };
}

/** Roles belong to the server, so the name contains the database; its hash if the name is too long or reserved. */
function loginName(database: string, suffix: string): string {
  const name = database + suffix;
  if (Buffer.byteLength(name) <= MAX_NAME_LENGTH && !/^pg_/i.test(name)) return name;
  return `carillon_${createHash('sha256').update(database).digest('hex').slice(0, 32)}${suffix}`;
}

function derivePassword(password: string, login: string): string {
  return Buffer.from(hkdfSync('sha256', password, '', `carillon login ${login}`, 32)).toString('base64url');
}

function withLogin(databaseUrl: string, name: string, password: string | null): string {
  const url = new URL(databaseUrl);
  url.password = '';
  // As query parameters, which also replace a user and a password that the URL has there.
  url.searchParams.set('user', name);
  url.searchParams.set('password', password ?? '');
  return url.href;
}

export function derivedUrls(databaseUrl: string): LoginUrls {
  const { tenant, platform } = derivedLogins(databaseUrl);
  return { tenant: tenant.url, platform: platform.url };
}

/** SQLSTATEs of a server that does not admit a login: invalid authorization (28), no privilege to connect. */
const NOT_ADMITTED = /^(28...|42501)$/;

/** Whether the server does not admit a login: it does not exist, or has another password. */
export function isNotAdmitted(error: unknown): boolean {
  return NOT_ADMITTED.test(String((error as { code?: unknown }).code));
}

/**
 * Describes how the rights of this pool's login differ from those of the role `own`; null if they do not. `other` is
 * the role that it must not be a member of.
 */
export async function rightsFault(pool: pg.Pool, own: Role, other: Role): Promise<string | null> {
  const { rows } = await pool.query<{ name: string; has_more: boolean; has_less: boolean }>(RIGHTS, [own, other]);
  const { name, has_more: hasMore, has_less: hasLess } = rows[0]!;
  if (hasMore) return `${name} has more rights than ${own}`;
  return hasLess ? `${name} is not a member of ${own}` : null;
}

/** A superuser is a member of every role. */
const RIGHTS = `
select r.rolname as name, not pg_has_role(r.oid, $1::name, 'usage') as has_less,
       r.rolbypassrls or r.rolcreaterole or pg_has_role(r.oid, $2::name, 'member')
         or pg_has_role(r.oid, t.relowner, 'member') as has_more
from pg_roles r, pg_class t where r.rolname = current_user and t.oid = 'tenants'::regclass`;
