import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { deploymentToolsMissing } from './services/deployment-tools.ts';
import { kafkaMissing } from './services/kafka.ts';
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
for (const [name, why] of Object.entries({ Redis: noRedis, Kafka: noKafka, 'Helm and kubeconform': noTools })) {
  if (why && process.env.CI) throw new Error(`CI runs everything, and ${name} is missing: ${why}`);
  if (why) console.warn(`SKIPPED: what needs ${name}, because there is ${why}. See CONTRIBUTING.md.`);
}

const endToEnd = (profile: 'postgres' | 'redis' | 'scale', ...more: string[]) => ({
  extends: true as const,
  test: { name: `e2e ${profile}`, include: ['test/*.e2e-spec.ts', ...more], provide: { profile } },
});

export default defineConfig({
  resolve: { alias },
  test: {
    // The end-to-end tests run once in each profile: Postgres alone, with Redis, with Redis and Kafka.
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
            ...(noRedis ? ['test/seams/{limiter,bus,redis}.*'] : []),
            ...(noKafka ? ['test/seams/transport.*'] : []),
            ...(noTools ? ['test/deployments/{chart,compose}.*'] : []),
          ],
          provide: { profile: 'postgres' },
        },
      },
      // The packages do not know the profile of the server.
      endToEnd('postgres', 'packages/*/test/*.e2e-spec.ts'),
      ...(noRedis ? [] : [endToEnd('redis', 'test/redis/*.e2e-spec.ts')]),
      ...(noRedis || noKafka ? [] : [endToEnd('scale', 'test/kafka/*.e2e-spec.ts')]),
    ],
    globalSetup: ['test/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // A test that fails now and then is a bug: it is shown, never run again.
    retry: 0,
  },
});
