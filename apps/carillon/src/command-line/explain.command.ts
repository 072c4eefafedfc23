import type { Command } from 'commander';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION } from './options.js';
import type { ExplainRun } from './run-explain.js';
import { addSendOptions } from './send-options.js';

const EXAMPLES = `
Examples:
  carillon explain $DELIVERY_ID                                # what happened to a delivery or a notification
  carillon explain -r user-123 -c email -c sms -t welcome      # what would become of a send; nothing is sent`;

export function addExplainCommand(program: Command): void {
  const command = program
    .command('explain')
    .argument('[id]', 'a delivery or a notification')
    .description('show what happened to a delivery, or what would become of a send (docs/explain.md)');
  addSendOptions(command)
    .addOption(URL_OPTION)
    .addOption(API_KEY_OPTION)
    .addOption(JSON_OPTION)
    .addHelpText('after', EXAMPLES)
    .action(async (id: string | undefined, options: ExplainRun) =>
      (await import('./run-explain.js')).runExplain(id, options),
    );
}
