import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import { CONNECT_TIMEOUT_MS } from './connection-pool.js';
import { type DerivedLogin, derivedLogins } from './logins.js';

/** The message is for the operator and says what to do. */
export class LoginsNotCreated extends Error {}

const INSUFFICIENT_PRIVILEGE = '42501';
const INVALID_PASSWORD = '28P01';
/** PostgreSQL's default. */
const SCRAM_ITERATIONS = 4_096;

const ATTRIBUTES = 'login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls';

/**
 * Creates the two logins of the database, or changes what differs from their definition. `client` is a connection as
 * the owner of the tables. It holds the lock for migrations, so that two processes do not change the same role at the
 * same time; the logins of another database are other roles.
 *
 * Throws with the SQL to run by hand if the owner may not create roles.
 */
export async function createLogins(client: pg.Client, databaseUrl: string): Promise<void> {
  const logins = Object.values(derivedLogins(databaseUrl));
  const statements: string[] = [];
  for (const login of logins) statements.push(...(await missingSteps(client, login)));
  if (statements.length > 0) await run(client, statements);
  for (const login of logins) {
    const failure = await connectionError(login);
    if (failure)
      throw new LoginsNotCreated(
        `The database login ${JSON.stringify(login.name)} cannot connect: ${failure.message}. Allow it, or create ` +
          'two logins yourself and set TENANT_DATABASE_URL and PLATFORM_DATABASE_URL (docs/architecture.md#roles).',
        { cause: failure },
      );
  }
}

interface RoleRow {
  restricted: boolean;
  memberships: string[];
  visible: boolean;
}

/** `visible`: whether the owner sees the transactions of this login in pg_stat_activity. */
const ROLE = `
select rolcanlogin and rolinherit
         and not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls) as restricted,
       array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
             where m.member = r.oid) as memberships,
       pg_has_role(current_user, r.oid, 'usage') as visible
from pg_roles r where rolname = $1`;

/** The statements that make the login as it should be; none if it is. */
async function missingSteps(client: pg.Client, login: DerivedLogin): Promise<string[]> {
  const name = pg.escapeIdentifier(login.name);
  const role = pg.escapeIdentifier(login.role);
  const password = login.password === null ? 'null' : pg.escapeLiteral(scramVerifier(login.password));
  const { rows } = await client.query<RoleRow>(ROLE, [login.name]);
  const [found] = rows;
  if (!found)
    return [`create role ${name} ${ATTRIBUTES} password ${password}`, `grant ${role} to ${name}`, visibleTo(name)];
  const steps: string[] = [];
  if (!found.restricted) steps.push(`alter role ${name} ${ATTRIBUTES}`);
  for (const other of found.memberships)
    if (other !== login.role) steps.push(`revoke ${pg.escapeIdentifier(other)} from ${name}`);
  if (!found.memberships.includes(login.role)) steps.push(`grant ${role} to ${name}`);
  if (!found.visible) steps.push(visibleTo(name));
  if ((await connectionError(login))?.code === INVALID_PASSWORD) steps.push(`alter role ${name} password ${password}`);
  return steps;
}

/** For the age of the oldest transaction, which only a member or a superuser sees (stores/operations.store.ts). */
const visibleTo = (name: string): string => `grant ${name} to current_user`;

async function run(client: pg.Client, statements: string[]): Promise<void> {
  const sql = statements.join(';\n');
  try {
    // Several statements in one message are one transaction.
    await client.query(sql);
  } catch (error) {
    if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    const { rows } = await client.query<{ owner: string }>('select quote_ident(current_user) as owner');
    throw new LoginsNotCreated(
      `The login of DATABASE_URL may not create the two logins of Carillon: ${(error as Error).message}. ` +
        'Run this as a role that may create roles, then `npm run migrate` again:\n\n' +
        `${sql.replaceAll('current_user', rows[0]!.owner)};\n\n` +
        'Or create two logins yourself and set TENANT_DATABASE_URL and PLATFORM_DATABASE_URL ' +
        '(docs/architecture.md#roles).',
      { cause: error },
    );
  }
}

async function connectionError(login: DerivedLogin): Promise<(Error & { code?: string }) | null> {
  const client = new pg.Client({
    connectionString: login.url,
    application_name: 'carillon-migrate',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  try {
    await client.connect();
    return null;
  } catch (error) {
    return error as Error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The SCRAM verifier (RFC 5803) that the server stores, so that no statement or log contains the password. */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, SCRAM_ITERATIONS, 32, 'sha256');
  const keyOf = (purpose: string): Buffer => createHmac('sha256', salted).update(purpose).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${SCRAM_ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
