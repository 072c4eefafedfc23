// Structural rules, checked by reading the sources.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, parse as parsePath, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { settingsSchema } from '#config';
import {
  auditActions,
  channelIds,
  decidingRules,
  errorCatalogue,
  failedReasons,
  scopes,
  suppressedReasons,
  waitingReasons,
} from '#domain';
import { providers } from '#providers';
import { vendors } from '#testing';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

function files(directory: string, ending = '.ts'): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('/generated/'));
}

const ofPackages = files('packages').filter((path) => /^packages\/[^/]+\/src\//.test(path));
const sources = [...files('apps'), ...files('apps', '.tsx'), ...files('libs'), ...ofPackages];
const product = sources.filter((path) => !path.endsWith('.spec.ts') && !path.startsWith('libs/testing/'));

describe('names', () => {
  it('say what is in a file', () => {
    const forbidden =
      /(^|[-.])(utils?|helpers?|common|shared|base|core|manager|generic|misc|types|interfaces|constants)([-.]|$)/;
    // The table of the common content of a bulk send.
    const allowed = ['shared-contents.store'];
    expect(sources.map((path) => parsePath(path).name).filter((name) => forbidden.test(name))).toEqual(allowed);
    expect(sources.filter((path) => /[A-Z_]/.test(basename(path)))).toEqual([]);
    const classes = product.flatMap((path) =>
      [...read(path).matchAll(/(?:class|interface) (\w+)/g)].map(([, name]) => name!),
    );
    expect(classes.filter((name) => /^I[A-Z]|Impl$|^Abstract/.test(name))).toEqual([]);
  });

  it('keep files, lines and folders small', () => {
    const long = product.filter((path) => read(path).split('\n').length > 251);
    expect(long).toEqual([]);
    const wide = product.filter((path) =>
      read(path)
        .split('\n')
        .some((line) => line.length > 120),
    );
    // One text each that cannot be broken.
    expect(wide).toEqual([
      'libs/domain/src/sms-segments.ts',
      'libs/providers/src/email/smtp.provider.ts',
      'libs/providers/src/push/fcm.provider.ts',
    ]);
    const full = Object.entries(Object.groupBy(product, (path) => path.slice(0, path.lastIndexOf('/')))).filter(
      ([, inside]) => inside!.length > 20,
    );
    expect(full.map(([directory]) => directory)).toEqual([]);
  });
});

describe('restricted access', () => {
  it('only libs/config reads the environment', () => {
    expect(
      product.filter((path) => /process\.env\b/.test(read(path)) && !path.startsWith('libs/config/')).sort(),
    ).toEqual([
      // Passes the whole environment to the programs of PostgreSQL and to loadConfig.
      'apps/carillon/src/main.ts',
      'libs/embedded-postgres/src/run-program.ts',
    ]);
  });

  it('every tenant POST handles its Idempotency-Key', () => {
    const unhandled = product
      .filter(
        (path) => path.endsWith('.controller.ts') && !read(path).includes('@UseInterceptors(IdempotencyInterceptor)'),
      )
      .flatMap((path) => {
        const routes = read(path).split(/(?=@(?:Get|Post|Put|Patch|Delete)\()/);
        const posts = routes.filter((route) => /^@Post\(/.test(route) && /@Require(ApiKey|Recipient)\(/.test(route));
        return posts
          .filter((route) => !route.includes('@SkipIdempotency()'))
          .map((route) => `${path} ${route.slice(0, 30)}`);
      });
    expect(unhandled).toEqual([]);
  });

  it('every operator route that changes something writes to the audit log, and so does every route that says it', () => {
    const unaudited = product
      .filter((path) => path.endsWith('.controller.ts'))
      .flatMap((path) =>
        read(path)
          .split(/(?=@(?:Get|Post|Put|Patch|Delete)\()/)
          .filter((route) => /^@(?:Post|Put|Patch|Delete)\(/.test(route))
          // Previews and checks of credentials store nothing.
          .filter((route) => !/^@Post\('(?:preview|:id\/verify)'\)/.test(route))
          .filter((route) => route.includes('@RequireOperator(') || route.includes('@Audited('))
          .filter((route) => !/@Audited\('/.test(route) || !/@CurrentAudit\(\)/.test(route))
          .map((route) => `${path} ${route.slice(0, 30)}`),
      );
    expect(unaudited).toEqual([]);
    const routes = product.filter((path) => path.endsWith('.controller.ts')).map(read);
    const unused = Object.keys(auditActions).filter((action) => !routes.join().includes(`@Audited('${action}')`));
    // Of an operator's session, on the routes that name no action.
    expect(unused).toEqual(['tenant_data.changed']);
  });

  it('only these see all tenants', () => {
    const platform = product.filter((path) =>
      /\b(asPlatform|sqlAsPlatform)\b|database\.platform(Reads)?\b/.test(read(path)),
    );
    expect(platform.sort()).toEqual([
      'apps/api/src/infrastructure/make-api-limiter.ts', // the same limiter as in the worker
      'apps/worker/src/delivery/make-worker-limiter.ts', // the limiter, whose keys begin with the tenant
      'libs/database/src/database.ts',
      'libs/database/src/doctor/check.ts', // the operator's, every tenant's counters and queue
      'libs/database/src/doctor/counter-checks.ts', // `carillon doctor --fix`, over all tenants
      'libs/database/src/doctor/platform-checks.ts', // migrations, no tenant's rows
      'libs/database/src/postgres-listener.ts', // NOTIFY, no table
      'libs/database/src/secrets/platform-keys.ts', // the platform's own
      'libs/database/src/secrets/rewrap-secrets.ts', // every tenant's secrets, without opening them
      'libs/database/src/stores/api-keys.store.ts', // finds the tenant of a key
      'libs/database/src/stores/audit/audit.store.ts', // the operator's
      'libs/database/src/stores/backlog-figures.store.ts', // counts, without rows
      'libs/database/src/stores/clean-up/audit-retention.store.ts', // every tenant's
      'libs/database/src/stores/clean-up/expired-rows.store.ts', // every tenant's
      'libs/database/src/stores/clean-up/partitions.store.ts', // no rows, only tables
      'libs/database/src/stores/clean-up/retention.store.ts', // every tenant's
      'libs/database/src/stores/console/console-sessions.store.ts', // finds the session of a token
      'libs/database/src/stores/erasure/erasures.store.ts', // finds the erasures of every tenant
      'libs/database/src/stores/export/recipient-export.store.ts', // a condition on a value inside JSON, for one tenant
      'libs/database/src/stores/inbox.store.ts', // one query for the streams of many recipients
      'libs/database/src/stores/jobs/running-jobs.store.ts', // the worker runs the jobs of all tenants
      'libs/database/src/stores/mailbox.store.ts',
      'libs/database/src/stores/notifications/planned-deliveries.store.ts', // the worker's statement, for one tenant
      'libs/database/src/stores/operations.store.ts',
      'libs/database/src/stores/overview.store.ts', // the operator's
      'libs/database/src/stores/provider-accounts.store.ts', // a vendor names an account, not its tenant
      'libs/database/src/stores/queue/due-deliveries.store.ts',
      'libs/database/src/stores/queue/policy-changes.store.ts', // the worker serves all tenants
      'libs/database/src/stores/queue/queue-figures.store.ts', // the operator's
      'libs/database/src/stores/recipients/recipients.store.ts', // addresses of many requests in one statement
      'libs/database/src/stores/schedules/due-schedules.store.ts', // workers fire the schedules of all tenants
      'libs/database/src/stores/sending/accept.store.ts', // requests of many tenants in one commit
      'libs/database/src/stores/sending/dead-letters/dead-letters.store.ts', // the operator's
      'libs/database/src/stores/sending/deliveries.store.ts', // the worker serves all tenants
      'libs/database/src/stores/sending/digests/digests.store.ts', // closes the digests of many tenants in one statement
      'libs/database/src/stores/sending/events.store.ts', // the relay publishes the events of all tenants
      'libs/database/src/stores/sending/first-answers.store.ts', // replays of many tenants in one statement
      'libs/database/src/stores/sending/limits/account-paces.store.ts', // one statement for the accounts of many
      'libs/database/src/stores/sending/limits/quotas.store.ts', // one statement counts deliveries of many tenants
      'libs/database/src/stores/sending/limits/recent-sends.store.ts', // one batch asks for many tenants
      'libs/database/src/stores/sending/poison-messages.store.ts', // a poison message may have no tenant
      'libs/database/src/stores/sending/receipts.store.ts', // receipts of a platform account concern all tenants
      'libs/database/src/stores/statistics/count-deliveries.store.ts', // workers count the deliveries of all tenants
      'libs/database/src/stores/statistics/statistics.store.ts', // the operator's; how far the count has come
      'libs/database/src/stores/templates/template-heads.ts', // templates of many tenants in one statement
      'libs/database/src/stores/tenants.store.ts', // the operator's
      'libs/database/src/stores/token-revocations.store.ts', // one query for the tokens of many recipients
      'libs/database/src/stores/webhook-endpoints.store.ts', // the fan-out handles the events of all tenants
    ]);
  });

  it('no branch depends on tests or feature flags', () => {
    const found = product.filter(
      (path) => !path.startsWith('libs/config/') && /NODE_ENV|VITEST|isTest\b/.test(read(path)),
    );
    expect(found).toEqual([]);
  });

  it('every lib has one hand-written index.ts', () => {
    for (const lib of readdirSync(join(ROOT, 'libs'))) {
      const index = read(`libs/${lib}/src/index.ts`);
      expect(index, lib).not.toMatch(/export \*/);
      expect(
        files(`libs/${lib}`).filter((path) => basename(path) === 'index.ts'),
        lib,
      ).toHaveLength(1);
    }
  });
});

describe('registries', () => {
  it('know every provider file and every channel file', () => {
    const providerFiles = files('libs/providers').filter((path) => path.endsWith('.provider.ts'));
    expect(providerFiles.map((path) => basename(path, '.provider.ts')).sort()).toEqual(Object.keys(providers).sort());
    const channelFiles = files('libs/domain').filter((path) => path.endsWith('.channel.ts'));
    expect(channelFiles.map((path) => basename(path, '.channel.ts').replace('-', '_')).sort()).toEqual(
      [...channelIds].sort(),
    );
    for (const [id, provider] of Object.entries(providers)) expect(provider.id).toBe(id);
  });

  it('every provider has its exchange in the contract test', () => {
    const contract = read('libs/providers/src/provider-contract.spec.ts');
    for (const id of Object.keys(providers).filter((id) => !(id in vendors))) expect(contract).toContain(`  ${id}: `);
  });
});

describe('documented', () => {
  it('every error code, setting and scope', () => {
    const errors = read('docs/errors.md');
    expect(Object.keys(errorCatalogue).filter((code) => !errors.includes(`## ${code}\n`))).toEqual([]);
    const configuration = read('docs/configuration.md');
    expect(Object.keys(settingsSchema.shape).filter((name) => !configuration.includes(`\`${name}\``))).toEqual([]);
    const security = read('docs/architecture.md');
    expect(scopes.filter((scope) => !security.includes(`\`${scope}\``))).toEqual([]);
  });

  it('every action of the audit log, with its meaning', () => {
    const rows = [...read('docs/audit.md').matchAll(/^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$/gm)].map(([, ...row]) => row);
    expect(rows).toEqual(Object.entries(auditActions));
  });

  it('every reason of a delivery, and every rule with its meaning', () => {
    const sections = read('docs/reasons.md').split('\n## ').slice(1);
    const [waits, suppressed, failed, rules] = sections.map((section) =>
      [...section.matchAll(/^\| `([a-z_.]+)` \| (.+) \| .+ \|$/gm)].map(
        ([, code, meaning]) => [code!, meaning!] as const,
      ),
    );
    const codesOf = (rows: typeof rules): string[] => rows!.map(([code]) => code).sort();
    expect(codesOf(waits)).toEqual([...waitingReasons].sort());
    expect(codesOf(suppressed)).toEqual([...suppressedReasons].sort());
    expect(codesOf(failed)).toEqual([...failedReasons].sort());
    expect(rules).toEqual(Object.entries(decidingRules));
  });

  it('every limit, with the value that it has in the code', () => {
    const code = product.map(read).join('\n');
    const rows = read('docs/limits.md')
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.split('|').at(-2)!);
    const named = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!));
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((text) => !code.includes(text))).toEqual([]);
  });

  it('every provider, on its own page', () => {
    const pages = readdirSync(join(ROOT, 'docs/providers')).map((name) => name.replace('.md', ''));
    expect(pages.filter((name) => name !== 'README').sort()).toEqual(Object.keys(providers).sort());
    const list = read('docs/providers/README.md');
    expect(Object.keys(providers).filter((id) => !list.includes(`(${id}.md)`))).toEqual([]);
  });

  it('the path of one POST, in at most twenty files, each with the function that the page names', () => {
    const [, section] = /## The path of one POST\n(.*?)\n## /s.exec(read('docs/architecture.md'))!;
    const stops = [...section!.matchAll(/^\d+\. `([^`]+)` · `(\w+)`/gm)].map(([, path, name]) => ({ path, name }));
    expect(stops.length).toBeGreaterThan(10);
    expect(stops.length).toBeLessThanOrEqual(20);
    const wrong = stops.filter(
      ({ path, name }) => !sources.includes(path!) || !new RegExp(`\\b${name}\\b`).test(read(path!)),
    );
    expect(wrong).toEqual([]);
  });

  it('how to add a provider, in code that compiles as it stands', async () => {
    const [, code] = /```ts\n(.*?)```/s.exec(read('docs/adding-a-provider.md'))!;
    const compileErrors = await compilerAt('libs/providers/src/sms/acme.provider.ts');
    expect(compileErrors(code!)).toEqual([]);
    expect(compileErrors(code!.replace('kind: (code', 'sort: (code'))).not.toEqual([]);
  }, 30_000);

  it('no paths of a development machine', () => {
    const everything = [
      ...sources,
      ...files('docs', '.md'),
      ...files('test'),
      'README.md',
      'CONTRIBUTING.md',
      '.ci/run',
      '.github/workflows/ci.yml',
      'package.json',
    ];
    const wanted = new RegExp(['/wo' + 'rk/', '/ro' + 'ot/', 'registry\\.' + 'npmjs'].join('|'));
    expect(everything.filter((path) => wanted.test(read(path)))).toEqual([]);
  });
});

describe('the pipeline', () => {
  it('is eight awaited lines in order, and no other order has the types for it', async () => {
    const source = read('apps/worker/src/delivery/pipeline.ts');
    const steps = [...source.matchAll(/await timed\('(\w+)'/g)].map(([, step]) => step!);
    expect(steps).toEqual(['claim', 'load', 'consent', 'digest', 'limit', 'render', 'send', 'record']);
    // Swaps each pair of adjacent steps in the source and compiles it.
    const compileErrors = await compilerAt('apps/worker/src/delivery/pipeline.ts');
    expect(compileErrors(source)).toEqual([]);
    const lines = source.split('\n');
    const at = lines.flatMap((line, index) =>
      /await timed\('(load|consent|digest|limit|render|send)'/.test(line) ? [index] : [],
    );
    const swap = (first: number, second: number): string => {
      // Swaps the steps; the names of their arguments and results stay.
      const call = /this\.steps\.\w+/;
      const swapped = [...lines];
      swapped[first] = lines[first]!.replace(call, call.exec(lines[second]!)![0]);
      swapped[second] = lines[second]!.replace(call, call.exec(lines[first]!)![0]);
      return swapped.join('\n');
    };
    for (let index = 0; index + 1 < at.length; index += 1)
      expect(compileErrors(swap(at[index]!, at[index + 1]!)), `swapping ${lines[at[index]!]}`).not.toEqual([]);
    // Swaps whole lines.
    for (let index = 0; index + 1 < at.length; index += 1) {
      const moved = [...lines];
      [moved[at[index]!], moved[at[index + 1]!]] = [lines[at[index + 1]!]!, lines[at[index]!]!];
      expect(compileErrors(moved.join('\n'))).not.toEqual([]);
    }
  }, 120_000);
});

/** Returns the compiler's errors for a text in place of an existing or a new file. */
async function compilerAt(file: string): Promise<(text: string) => string[]> {
  const ts = (await import('typescript')).default;
  const path = join(ROOT, file);
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const options = ts.parseJsonConfigFileContent({ ...config, include: [], files: [path] }, ts.sys, ROOT).options;
  return (text) => {
    const host = ts.createCompilerHost(options);
    const readAsIs = host.getSourceFile.bind(host);
    host.getSourceFile = (name, version, ...rest) =>
      name === path ? ts.createSourceFile(name, text, version) : readAsIs(name, version, ...rest);
    const program = ts.createProgram([path], options, host);
    return program
      .getSemanticDiagnostics(program.getSourceFile(path))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  };
}

describe('deployments', () => {
  it('hosted CI runs .ci/run, which also runs on any clean Debian machine', () => {
    const { jobs } = parse(read('.github/workflows/ci.yml')) as { jobs: Record<string, { steps: { run?: string }[] }> };
    const commands = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []));
    expect(commands).toEqual(['bash .ci/run']);
  });
});
