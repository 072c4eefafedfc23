import type { Command } from 'commander';
import type { EitherCredential } from '../api/connection.js';
import { usageError } from '../exit-codes.js';
import {
  ADMIN_TOKEN_OPTION,
  API_KEY_OPTION,
  JSON_OPTION,
  positiveNumber,
  URL_OPTION,
  wholeNumber,
} from '../options.js';
import type { ExportRun, ListRun, ReplayRun } from './run-dlq.js';

const LIST_EXAMPLES = `
Examples:
  carillon dlq list
  carillon dlq list --channel sms --reason retries_exhausted --unreplayed --limit 20 --json

With the admin token it lists the dead letters of all tenants, otherwise those of the API key's tenant. The same holds
for replay and export.`;

const REPLAY_EXAMPLES = `
Examples:
  carillon dlq replay $DEAD_LETTER_ID
  carillon dlq replay --provider twilio --failed-after 2026-12-01T00:00:00Z --dry-run
  carillon dlq replay --reason misconfigured --pace 20
  carillon dlq replay --all
  carillon dlq replay --status $JOB_ID
  carillon dlq replay --stop $JOB_ID

A replay by filter is a job of the workers: Ctrl+C ends the command and not the job. A dead letter is replayed once.
Those that were replayed or settled before are skipped. It ends with 5 if some could not be replayed.`;

const EXPORT_EXAMPLES = `
Examples:
  carillon dlq export > dead-letters.ndjson
  carillon dlq export --tenant "$TENANT" --output one-tenant.ndjson`;

/** `dlq list|replay|export`, for the operator and, with an API key, for a tenant. */
export function addDlqCommands(program: Command): void {
  const dlq = program.command('dlq').description('list, replay and export dead letters');
  withFilters(dlq.command('list').description('list dead letters, newest first'))
    .option('--unreplayed', 'only those that were neither replayed nor settled')
    .option('--limit <number>', 'at most so many', wholeNumber(1, 100_000), 50)
    .addHelpText('after', LIST_EXAMPLES)
    .action(async (options: ListRun, command: Command) =>
      (await import('./run-dlq.js')).listLetters(withSource(options, command)),
    );
  withFilters(
    dlq
      .command('replay')
      .argument('[ids...]', 'dead letters')
      .description('send dead letters again, by id or by filter'),
  )
    .option('--all', 'without a filter: all')
    .option('--dry-run', 'only count them')
    .option('--pace <number>', 'replays a second', positiveNumber, 50)
    .option('--status <job>', 'show the progress of a replay by filter')
    .option('--stop <job>', 'stop a replay by filter')
    .addHelpText('after', REPLAY_EXAMPLES)
    .action(async (ids: string[], options: ReplayRun, command: Command) =>
      (await import('./run-dlq.js')).replayLetters(ids, withSource(options, command)),
    );
  withFilters(dlq.command('export').description('write dead letters as lines of JSON, newest first'))
    .option('-o, --output <path>', 'a file instead of standard output; it must not exist')
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(async (options: ExportRun, command: Command) =>
      (await import('./run-dlq.js')).exportLetters(withSource(options, command)),
    );
}

function withFilters(command: Command): Command {
  return command
    .option('--tenant <id>', 'only of this tenant')
    .option('--channel <channel>', 'only of this channel')
    .option('--provider <provider>', 'only of this provider')
    .option('--reason <reason>', 'only with this reason (docs/reasons.md)')
    .option('--code <code>', "only with this code of the provider's")
    .option('--failed-after <time>', 'only those that failed later, like 2026-12-01T00:00:00Z')
    .option('--failed-before <time>', 'only those that failed earlier')
    .addOption(URL_OPTION)
    .addOption(ADMIN_TOKEN_OPTION)
    .addOption(API_KEY_OPTION)
    .addOption(JSON_OPTION);
}

/** An option that was written on the command line is not replaced by a variable. */
function withSource<Options extends EitherCredential>(options: Options, command: Command): Options {
  const isOption = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  if (isOption('apiKey') && isOption('adminToken')) throw usageError('Give --api-key or --admin-token, not both.');
  return { ...options, isApiKeyGiven: isOption('apiKey') };
}
