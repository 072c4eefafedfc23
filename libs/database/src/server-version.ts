/** The oldest PostgreSQL on which the tests run (docs/deployment.md). */
const OLDEST_VERSION = 15;

/** One row, a {@link ServerVersion}. */
export const SERVER_VERSION =
  "select current_setting('server_version') as name, current_setting('server_version_num')::int / 10000 as major";

export interface ServerVersion {
  name: string;
  major: number;
}

/** The server of the database is older than the oldest one supported. */
export class ServerTooOld extends Error {
  override readonly name = 'ServerTooOld';
}

export function refuseOldServer({ name, major }: ServerVersion): void {
  if (major >= OLDEST_VERSION) return;
  throw new ServerTooOld(
    `The database is on PostgreSQL ${name}, and Carillon needs ${OLDEST_VERSION} or newer. ` +
      'Upgrade the server, or set DATABASE_URL to another one.',
  );
}
