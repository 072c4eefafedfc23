import type { Command } from 'commander';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION, wholeNumber } from './options.js';
import type { TailRun } from './run-tail.js';

const EXAMPLES = `
Examples:
  carillon tail                                    # follows all sends of the tenant from now on, until Ctrl+C
  carillon tail --recipient ann --since 600        # also those of the last ten minutes
  carillon tail --seconds 60 --json | jq .state    # one line of JSON for each change, for a minute`;

export function addTailCommand(program: Command): void {
  program
    .command('tail')
    .description('follow deliveries: one line for each change of a state')
    .option('-r, --recipient <id>', 'only sends to this recipient')
    .option('-c, --channel <channel>', 'only this channel')
    .option('--since <seconds>', 'also the sends of the last seconds', wholeNumber(0, 86_400), 0)
    .option('--seconds <seconds>', 'end after this time', wholeNumber(1, 86_400))
    .addOption(URL_OPTION)
    .addOption(API_KEY_OPTION)
    .addOption(JSON_OPTION)
    .addHelpText('after', EXAMPLES)
    .action(async (options: TailRun) => (await import('./run-tail.js')).runTail(options));
}
