import { instruments } from './metrics.js';

export type Role = 'api' | 'worker';

interface PoolConnections {
  pool: string;
  used: number;
  idle: number;
  /** Requests that wait for a connection. */
  waiting: number;
  max: number;
}

/** The connections of a role to other systems. Those that it does not use are undefined or null. */
export interface Stores {
  database: { connections(): PoolConnections[]; ping(): Promise<void> };
  redis?: { readonly connected: boolean } | null | undefined;
  kafka?: { isReachable(): boolean } | null | undefined;
}

/** Observes that the role runs, whether it reaches its stores, and its connections to the database. */
export function observeStores(role: Role, { database, redis, kafka }: Stores): void {
  const { gauge } = instruments();
  gauge('info', async () => [{ value: 1, labels: { role } }]);
  gauge('storeUp', async () => {
    const isPostgresUp = await database.ping().then(
      () => true,
      () => false,
    );
    return [
      { value: Number(isPostgresUp), labels: { role, store: 'postgres' } },
      ...(redis ? [{ value: Number(redis.connected), labels: { role, store: 'redis' } }] : []),
      ...(kafka ? [{ value: Number(kafka.isReachable()), labels: { role, store: 'kafka' } }] : []),
    ];
  });
  gauge('connections', async () =>
    database.connections().flatMap(({ pool, used, idle, waiting }) => [
      { value: used, labels: { role, pool, state: 'used' } },
      { value: idle, labels: { role, pool, state: 'idle' } },
      { value: waiting, labels: { role, pool, state: 'waiting' } },
    ]),
  );
  gauge('connectionsMax', async () =>
    database.connections().map(({ pool, max }) => ({ value: max, labels: { role, pool } })),
  );
}
