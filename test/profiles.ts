// The three profiles of the end-to-end tests, and their services: real ones, started once per run.

import { inject } from 'vitest';

export type Profile = 'postgres' | 'redis' | 'scale';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    /** Undefined: the embedded version, or that of DATABASE_URL. */
    postgresVersion?: number;
    profile: Profile;
    redisUrl: string;
    kafkaBrokers: string;
  }
}

/**
 * The settings of the profile under test, for one deployment: the name of its database separates its keys and topics from
 * those of other tests.
 */
export function profileEnvironment(databaseUrl: string): Record<string, string> {
  const profile = inject('profile');
  const name = new URL(databaseUrl).pathname.slice(1) || 'all-in-one';
  return {
    ...(profile !== 'postgres' && { REDIS_URL: inject('redisUrl'), REDIS_PREFIX: name }),
    ...(profile === 'scale' && { KAFKA_BROKERS: inject('kafkaBrokers'), KAFKA_PREFIX: name, KAFKA_PARTITIONS: '3' }),
  };
}
