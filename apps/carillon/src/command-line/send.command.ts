import type { Command } from 'commander';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION, wholeNumber } from './options.js';
import type { SendRun } from './run-send.js';
import { addSendOptions } from './send-options.js';

const EXAMPLES = `
Examples:
  carillon send --recipient user-123 --channel email --template welcome --payload '{"name": "Alice"}'
  carillon send -r user-123 -c email -t welcome -p '{"name": "Alice"}' --wait 30
  carillon send -r ann -c email --to flaky@simulator.test --content '{"subject": "Hi", "text": "Hello"}' --json
  echo '{"recipient_id": "ann", "channel": "in_app", "content": {"title": "Hi", "body": "Hello"}}' | carillon send -f -

With --wait it ends with 5 if a delivery was not sent.`;

export function addSendCommand(program: Command): void {
  addSendOptions(program.command('send').description('send a notification'))
    .option('--idempotency-key <key>', 'repeats the first answer for the same key; a random one is used without it')
    .option('--wait <seconds>', 'wait until every delivery is final', wholeNumber(1, 86_400))
    .addOption(URL_OPTION)
    .addOption(API_KEY_OPTION)
    .addOption(JSON_OPTION)
    .addHelpText('after', EXAMPLES)
    .action(async (options: SendRun) => (await import('./run-send.js')).runSend(options));
}
