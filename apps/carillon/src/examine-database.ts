import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigError, loadConfig, profileOf, settingFaults } from '#config';
import {
  type Check,
  counterChecks,
  Database,
  type Finding,
  migrationCheck,
  queueChecks,
  rightsAndPartitionsChecks,
  SecretBox,
  secretsCheck,
} from '#database';
import { embeddedPostgresUrl } from '#embedded-postgres';
import { CommandError, exitCodes, usageError } from './command-line/exit-codes.js';
import { count, type JsonOption, ProgressLine, printNote, printResult } from './command-line/output.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

export interface DoctorRun extends JsonOption {
  fix?: boolean;
}

interface CheckResult {
  check: string;
  examined: number;
  duration_ms: number;
  findings: Finding[];
}

/** `carillon doctor` */
export async function examineDatabase(options: DoctorRun): Promise<void> {
  const config = loadSettings();
  const examined = databaseName(config);
  if (!options.json) printNote(`Examines ${examined}.`);
  const database = new Database({
    url: config.databaseUrl,
    logins: config.databaseLogins,
    poolSize: 1,
    applicationName: 'carillon-doctor',
    onIdleError: () => undefined,
  });
  try {
    const results = await runChecks(database, config, options.fix ?? false);
    const open = results.flatMap(({ findings }) => findings).filter((finding) => finding.fixed < finding.count);
    printResult(options, { database: examined, healthy: open.length === 0, checks: results }, () => textOf(results));
    if (open.length > 0) process.exitCode = exitCodes.findings;
  } finally {
    await database.close();
  }
}

/** Without the user and the password. */
function databaseName({ databaseUrl, databaseLogins, embedded, home }: Config): string {
  const { host, pathname } = new URL(databaseLogins?.platform ?? databaseUrl);
  const name = `the database ${decodeURIComponent(pathname.slice(1))} on ${host || 'the default host'}`;
  return embedded && !databaseLogins ? `${name}, found in ${home}` : name;
}

/** Wrong settings are reported like those of a start; the exit code is that of a usage error. */
function loadSettings(): Config {
  const { embedded, home } = profileOf();
  if (!embedded) return loadConfig();
  const faults = settingFaults();
  if (faults.length > 0) throw new ConfigError(faults);
  const url = foundUrl(home);
  if (url === undefined)
    throw new CommandError(
      `No database: set DATABASE_URL. There is no embedded database in ${home}.`,
      exitCodes.usage,
      {
        code: 'usage',
      },
    );
  return loadConfig(undefined, url);
}

function foundUrl(home: string): string | undefined {
  try {
    return embeddedPostgresUrl(join(home, 'postgres'), 'carillon');
  } catch (error) {
    throw usageError((error as Error).message);
  }
}

async function runChecks(database: Database, config: Config, fix: boolean): Promise<CheckResult[]> {
  const box = new SecretBox(config.masterKey, config.previousMasterKeys);
  const migrations = await runCheck(migrationCheck(database, MIGRATIONS));
  if (migrations.findings.some(({ problem }) => problem === 'migration_pending')) return [migrations];
  const results = [migrations];
  const checks = [
    ...rightsAndPartitionsChecks(database),
    secretsCheck(database, box),
    spoolCheck(join(config.home, 'spool')),
    ...queueChecks(database),
    ...counterChecks(database, fix, config.retentionDays),
  ];
  for (const check of checks) results.push(await runCheck(check));
  return results;
}

async function runCheck(check: Check): Promise<CheckResult> {
  const progress = new ProgressLine();
  const startedAt = performance.now();
  progress.show(check.name);
  try {
    const { examined, findings } = await check.run((rows) => progress.show(`${check.name}: ${count(rows, 'row')}`));
    return { check: check.name, examined, duration_ms: Math.round(performance.now() - startedAt), findings };
  } finally {
    progress.end();
  }
}

/** Outcomes that workers with this CARILLON_HOME could not record (docs/adr/0019). */
function spoolCheck(directory: string): Check {
  const filesIn = (path: string): string[] =>
    existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.json')) : [];
  const finding = (
    problem: string,
    files: string[],
    text: Pick<Finding, 'severity' | 'meaning' | 'advice'>,
  ): Finding[] =>
    files.length === 0 ? [] : [{ problem, ...text, count: files.length, examples: files.slice(0, 5), fixed: 0 }];
  return {
    name: 'spool',
    run: async () => {
      const waiting = filesIn(directory);
      const unreadable = filesIn(join(directory, 'unreadable'));
      return {
        examined: waiting.length + unreadable.length,
        findings: [
          ...finding('spooled_outcome', waiting, {
            severity: 'warning',
            meaning: `Outcomes of sends are in ${directory} and not in the database.`,
            advice: 'Start a worker with this CARILLON_HOME: it records them within seconds. Do not delete them.',
          }),
          ...finding('unreadable_outcome', unreadable, {
            severity: 'error',
            meaning: `Outcomes in ${join(directory, 'unreadable')} could not be recorded.`,
            advice: 'The log of the worker has the reason of each. Delete the files when you have looked at them.',
          }),
        ],
      };
    },
  };
}

function textOf(results: readonly CheckResult[]): string {
  const lines = results.flatMap(({ check, examined, findings }) => [
    `${findings.length === 0 ? 'ok     ' : 'FOUND  '} ${check} (${examined.toLocaleString('en-US')} examined)`,
    ...findings.flatMap(findingLines),
  ]);
  const found = results.flatMap(({ findings }) => findings);
  const open = found.filter((finding) => finding.fixed < finding.count);
  lines.push('', open.length === 0 ? 'Nothing to do.' : `${count(open.length, 'problem')} to act on.`);
  return lines.join('\n');
}

function findingLines(finding: Finding): string[] {
  const { problem, severity, meaning, advice, examples, fixed } = finding;
  const more = finding.count > examples.length ? ', …' : '';
  const corrected = fixed > 0 ? `, ${fixed} corrected` : '';
  return [
    `        ${severity} ${problem}: ${finding.count.toLocaleString('en-US')}${corrected}`,
    `          ${meaning}`,
    `          first: ${examples.join(', ')}${more}`,
    `          to do: ${fixed === finding.count ? 'nothing, they are corrected' : advice}`,
  ];
}
