import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { collectorMissing } from './services/collector.ts';
import { deploymentToolsMissing } from './services/deployment-tools.ts';
import { kafkaMissing } from './services/kafka.ts';
import { postgresMissing } from './services/postgres.ts';
import { redisMissing } from './services/redis.ts';

// The libs by their names, from the same list that TypeScript and Node read: the `imports` of package.json.
const { imports } = JSON.parse(readFileSync('package.json', 'utf8')) as { imports: Record<string, { source: string }> };
const alias = Object.entries(imports).map(([name, { source }]) => ({
  find: new RegExp(`^${name}$`),
  replacement: join(import.meta.dirname, source),
}));

// Missing services are reported and their tests skipped; CI fails.
const noRedis = process.env.REDIS_URL ? null : redisMissing();
const noKafka = process.env.KAFKA_BROKERS ? null : kafkaMissing(join(import.meta.dirname, '.services'));
const noTools = deploymentToolsMissing(join(import.meta.dirname, '.services'));
const noPostgres = (major: number): [string, string | null] => [`PostgreSQL ${major}`, postgresMissing(major)];
const missing = {
  Redis: noRedis,
  Kafka: noKafka,
  'Helm and kubeconform': noTools,
  ...Object.fromEntries([14, 15, 16, 17].map(noPostgres)),
};
for (const [name, why] of Object.entries(missing)) {
  if (why && process.env.CI) throw new Error(`CI runs everything, and ${name} is missing: ${why}`);
  if (why) console.warn(`SKIPPED: what needs ${name}, because there is ${why}. See CONTRIBUTING.md.`);
}
// Takes too long to build for CI; it is for those who change deployments/otel.
const noCollector = collectorMissing(join(import.meta.dirname, '.services'));
if (noCollector) console.warn(`SKIPPED: test/deployments/collector.int-spec.ts, because ${noCollector}`);

const endToEnd = (profile: 'postgres' | 'redis' | 'scale', include: string[]) => ({
  extends: true as const,
  test: { name: `e2e ${profile}`, include, provide: { profile } },
});

const END_TO_END = 'test/*.e2e-spec.ts';
/** Tests of limits, caps, breakers, the live inbox, and the loss of a process or a store: Redis takes part in these. */
const WITH_REDIS = [
  'test/redis/*.e2e-spec.ts',
  'test/{abuse-limits,access-ends,caps,caps-given-back,crash,explain-property,hanging-accounts,inbox}.e2e-spec.ts',
  'test/{life-of-a-delivery,outage,production,providers,quiet-hours,resources,sending,shutdown,topics}.e2e-spec.ts',
];

/** Runs on version 14, which Carillon refuses. */
const OLD_SERVER = 'test/old-server.int-spec.ts';
/** Tests that depend most on the server: migrations, rights, plans, locks; and a delivery from request to receipt. */
const NEAR_THE_DATABASE = [
  'test/accept.int-spec.ts',
  'test/database-logins.int-spec.ts',
  'test/dead-letter-replay.int-spec.ts',
  'test/erasure.int-spec.ts',
  'test/jobs.int-spec.ts',
  'test/list-plans.int-spec.ts',
  'test/partitions.int-spec.ts',
  'test/plans.int-spec.ts',
  'test/receipts.int-spec.ts',
  'test/sql-texts.spec.ts',
  'test/state-machine.int-spec.ts',
  'test/tenant-isolation.int-spec.ts',
  'test/idempotency.e2e-spec.ts',
  'test/life-of-a-delivery.e2e-spec.ts',
  'test/topics.e2e-spec.ts',
];

/** The versions between the oldest one, which runs all of those, and the embedded one, which runs everything. */
const FEW_NEAR_THE_DATABASE = [
  'test/database-logins.int-spec.ts',
  'test/partitions.int-spec.ts',
  'test/plans.int-spec.ts',
  'test/sql-texts.spec.ts',
  'test/tenant-isolation.int-spec.ts',
  'test/life-of-a-delivery.e2e-spec.ts',
];

/** Tests that run on another version of PostgreSQL than the embedded one. */
const onPostgres = (major: number, include: string[]) =>
  postgresMissing(major)
    ? []
    : [
        {
          extends: true as const,
          test: {
            name: `postgres ${major}`,
            include,
            globalSetup: ['test/postgres-setup.ts'],
            provide: { profile: 'postgres', postgresVersion: major } as const,
          },
        },
      ];

export default defineConfig({
  resolve: { alias },
  test: {
    // All end-to-end tests run with Postgres alone, and with Redis and Kafka. Those that Redis takes part in also run
    // without Kafka.
    projects: [
      {
        extends: true,
        test: {
          name: 'inside',
          include: [
            'apps/**/*.spec.ts',
            'libs/**/*.spec.ts',
            'packages/*/test/*.spec.ts',
            'test/**/*.spec.ts',
            'test/**/*.int-spec.ts',
          ],
          exclude: [
            ...(noRedis ? ['test/seams/{limiter,bus,redis,redis-tls}.*'] : []),
            ...(noKafka ? ['test/seams/transport.*'] : []),
            ...(noCollector ? ['test/deployments/collector.*'] : []),
            ...(noTools ? ['test/deployments/{chart,compose}.*'] : []),
            OLD_SERVER,
          ],
          provide: { profile: 'postgres' },
        },
      },
      // The packages do not know the profile of the server.
      endToEnd('postgres', [END_TO_END, 'packages/*/test/*.e2e-spec.ts', 'test/console/*.e2e-spec.ts']),
      ...(noRedis ? [] : [endToEnd('redis', WITH_REDIS)]),
      ...(noRedis || noKafka ? [] : [endToEnd('scale', [END_TO_END, 'test/kafka/*.e2e-spec.ts'])]),
      ...onPostgres(14, [OLD_SERVER]),
      ...onPostgres(15, [...NEAR_THE_DATABASE, 'test/cli/doctor.int-spec.ts', 'test/retention.int-spec.ts']),
      ...onPostgres(16, FEW_NEAR_THE_DATABASE),
      ...onPostgres(17, FEW_NEAR_THE_DATABASE),
    ],
    globalSetup: ['test/global-setup.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // A test that fails now and then is a bug: it is shown, never run again.
    retry: 0,
  },
});
