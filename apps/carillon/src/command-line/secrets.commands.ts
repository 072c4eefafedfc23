import type { Command } from 'commander';
import { JSON_OPTION } from './options.js';
import type { JsonOption } from './output.js';

/** `migrate`, `rewrap`, `rotate-token-key`: they work on the database and need its settings. */
export function addSecretsCommands(program: Command): void {
  program
    .command('migrate')
    .description('apply the pending migrations and create the two logins; needs DATABASE_URL')
    .addOption(JSON_OPTION)
    .addHelpText('after', '\nExamples:\n  DATABASE_URL=postgresql://… carillon migrate\n  carillon migrate --json')
    .action(async (options: JsonOption) => (await import('../migrate-database.js')).migrateDatabase(options));
  program
    .command('rewrap')
    .description('seal all secrets in the database under the current MASTER_KEY (docs/secrets.md)')
    .option('--dry-run', 'only count them')
    .addOption(JSON_OPTION)
    .addHelpText('after', '\nExamples:\n  carillon rewrap --dry-run\n  carillon rewrap')
    .action(async (options: JsonOption & { dryRun?: boolean }) =>
      (await import('../rewrap-database.js')).rewrapDatabase(options),
    );
  program
    .command('rotate-token-key')
    .description('sign recipient tokens with a new key (docs/secrets.md)')
    .option('--end-tokens', 'end all earlier tokens within 30 seconds')
    .addOption(JSON_OPTION)
    .addHelpText('after', '\nExamples:\n  carillon rotate-token-key\n  carillon rotate-token-key --end-tokens')
    .action(async (options: JsonOption & { endTokens?: boolean }) =>
      (await import('../rotate-key.js')).rotateTokenKey(options),
    );
}
