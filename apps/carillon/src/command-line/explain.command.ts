import type { Command } from 'commander';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION } from './options.js';
import type { ExplainRun } from './run-explain.js';
import { addSendOptions } from './send-options.js';

const EXAMPLES = `
Examples:
  carillon explain 01989c3e-5d2a-7c11-9d3f-0a1b2c3d4e5f          what happened to a delivery or a notification
  carillon explain -r ann -c email -c sms -t reminder              what would become of a send; nothing is sent`;

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
