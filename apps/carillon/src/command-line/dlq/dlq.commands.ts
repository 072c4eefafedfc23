import type { Command } from 'commander';
import { ADMIN_TOKEN_OPTION, JSON_OPTION, positiveNumber, URL_OPTION, wholeNumber } from '../options.js';
import type { ExportRun, ListRun, ReplayRun } from './run-dlq.js';

const LIST_EXAMPLES = `
Examples:
  carillon dlq list
  carillon dlq list --channel sms --reason retries_exhausted --unreplayed --limit 20 --json`;

const REPLAY_EXAMPLES = `
Examples:
  carillon dlq replay 01989c3e-5d2a-7c11-9d3f-0a1b2c3d4e5f
  carillon dlq replay --provider twilio --failed-after 2026-12-01T00:00:00Z --dry-run
  carillon dlq replay --reason misconfigured --pace 20
  carillon dlq replay --all

Dead letters that were replayed or settled before are skipped. It ends with 5 if some could not be replayed.
Interrupted, it can be run again: a dead letter is replayed once.`;

const EXPORT_EXAMPLES = `
Examples:
  carillon dlq export > dead-letters.ndjson
  carillon dlq export --tenant $TENANT --output dead-letters.ndjson`;

/** `dlq list|replay|export`, for the operator. */
export function addDlqCommands(program: Command): void {
  const dlq = program.command('dlq').description('list, replay and export dead letters');
  withFilters(dlq.command('list').description('list dead letters, newest first'))
    .option('--unreplayed', 'only those that were neither replayed nor settled')
    .option('--limit <number>', 'at most so many', wholeNumber(1, 100_000), 50)
    .addHelpText('after', LIST_EXAMPLES)
    .action(async (options: ListRun) => (await import('./run-dlq.js')).listLetters(options));
  withFilters(
    dlq
      .command('replay')
      .argument('[ids...]', 'dead letters')
      .description('send dead letters again, by id or by filter'),
  )
    .option('--all', 'without a filter: all')
    .option('--dry-run', 'only list them')
    .option('--pace <number>', 'replays a second', positiveNumber, 50)
    .addHelpText('after', REPLAY_EXAMPLES)
    .action(async (ids: string[], options: ReplayRun) => (await import('./run-dlq.js')).replayLetters(ids, options));
  withFilters(dlq.command('export').description('write dead letters as lines of JSON, newest first'))
    .option('-o, --output <path>', 'a file instead of standard output; it must not exist')
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(async (options: ExportRun) => (await import('./run-dlq.js')).exportLetters(options));
}

function withFilters(command: Command): Command {
  return command
    .option('--tenant <id>', 'only of this tenant')
    .option('--channel <channel>', 'only of this channel')
    .option('--provider <provider>', 'only of this provider')
    .option('--reason <reason>', 'only with this reason (docs/reasons.md)')
    .option('--failed-after <time>', 'only those that failed later, like 2026-12-01T00:00:00Z')
    .option('--failed-before <time>', 'only those that failed earlier')
    .addOption(URL_OPTION)
    .addOption(ADMIN_TOKEN_OPTION)
    .addOption(JSON_OPTION);
}
