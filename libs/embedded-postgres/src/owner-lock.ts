import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** An arbitrary number: the key of the advisory lock that the process which owns a cluster holds. */
const OWNER_LOCK = 7_271_964_001;
/** SQLSTATE cannot_connect_now: the server is starting up or recovering from a crash. */
const STARTING_UP = '57P03';

/** Another process owns the cluster. */
export class AlreadyRunning extends Error {}

/**
 * Takes the owner's lock on the server at `url`. The returned connection holds it until the connection or this process
 * ends. Retries for `timeoutMs` while the server recovers from a crash. Throws {@link AlreadyRunning} if another
 * process holds the lock; the message names `directory`.
 */
export async function takeOwnership(url: string, directory: string, timeoutMs: number): Promise<pg.Client> {
  const client = await connect(url, timeoutMs);
  const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1) as taken', [OWNER_LOCK]);
  if (rows[0]?.taken) return client;
  const { rows: owners } = await client.query<{ application_name: string }>(
    `select a.application_name from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32 | l.objid::bigint) = $1`,
    [OWNER_LOCK],
  );
  await client.end();
  const owner = owners[0] ? ` (${owners[0].application_name})` : '';
  const advice = 'Stop it first, or give this one a CARILLON_HOME of its own.';
  throw new AlreadyRunning(`Another Carillon${owner} is running on ${directory}. ${advice}`);
}

async function connect(url: string, timeoutMs: number): Promise<pg.Client> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    const client = new pg.Client({
      connectionString: url,
      application_name: `process ${process.pid}`,
      keepAlive: true,
    });
    try {
      await client.connect();
      // Without a listener, stopping the server would end this process with an unhandled 'error' event.
      client.on('error', () => undefined);
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      if ((error as { code?: string }).code !== STARTING_UP || Date.now() > until) throw error;
      await delay(100);
    }
  }
}
