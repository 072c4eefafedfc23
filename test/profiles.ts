// The three profiles that the end-to-end tests run in, and the services behind them: real ones, started once for a run.

import { inject } from 'vitest';

export type Profile = 'postgres' | 'redis' | 'scale';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    profile: Profile;
    redisUrl: string;
    kafkaBrokers: string;
  }
}

/**
 * What makes the product run in the profile under test, for one deployment of its own: the name of its database tells its keys
 * and topics from those of the other tests.
 */
export function profileEnvironment(databaseUrl: string): Record<string, string> {
  const profile = inject('profile');
  const name = new URL(databaseUrl).pathname.slice(1) || 'all-in-one';
  return {
    ...(profile !== 'postgres' && { REDIS_URL: inject('redisUrl'), REDIS_PREFIX: name }),
    ...(profile === 'scale' && { KAFKA_BROKERS: inject('kafkaBrokers'), KAFKA_PREFIX: name, KAFKA_PARTITIONS: '3' }),
  };
}
