import { type Command, Option } from 'commander';
import { ADMIN_TOKEN_OPTION, JSON_OPTION, listOf, URL_OPTION, wholeNumber } from './options.js';
import type { CreateRun, ListRun, RotateRun } from './run-keys.js';

const CREATE_EXAMPLES = `
Examples:
  TENANT=$(curl -s $CARILLON_URL/api/v1/api-key -H "X-API-Key: $CARILLON_API_KEY" | jq -r .tenant.id)
  carillon keys create --tenant "$TENANT" --name 'Order service'
  carillon keys create --tenant "$TENANT" --name CI --mode test --scopes notifications:write,notifications:read
  API_KEY=$(carillon keys create --tenant "$TENANT" --name Shop --json | jq -r .api_key)

The key is printed once and stored nowhere. Keep it.`;

const ROTATE_EXAMPLES = `
Examples:
  carillon keys rotate $KEY_ID --tenant "$TENANT"                       # the old key stays valid for a day
  carillon keys rotate $KEY_ID --tenant "$TENANT" --overlap-seconds 0   # the old key ends at once

The id of a key is the first column of \`carillon keys list\`.`;

/** `keys create|rotate|list`, for the operator. */
export function addKeysCommands(program: Command): void {
  const keys = program.command('keys').description('create, list and rotate API keys');
  const tenant = (): Option => new Option('--tenant <id>', 'the id of the tenant').makeOptionMandatory();
  withOperator(
    keys
      .command('create')
      .description('create an API key and print it once')
      .addOption(tenant())
      .requiredOption('--name <name>', 'a name, for people')
      .addOption(new Option('--mode <mode>', 'live or test').choices(['live', 'test']).default('live'))
      .option('--scopes <scopes>', 'only these scopes; all without it', listOf)
      .option('--allowed-ips <ranges>', 'only from these addresses and CIDR ranges', listOf)
      .option('--expires-at <time>', 'when it ends; never without it'),
    CREATE_EXAMPLES,
  ).action(async (options: CreateRun) => (await import('./run-keys.js')).createKey(options));
  withOperator(
    keys
      .command('rotate')
      .argument('<key-id>', 'the id of the key')
      .description('replace an API key by a new one with its name, mode, scopes and addresses')
      .addOption(tenant())
      .option('--overlap-seconds <seconds>', 'how long the old key stays valid', wholeNumber(0, 2_592_000), 86_400)
      .option('--expires-at <time>', 'when the new key ends; never without it'),
    ROTATE_EXAMPLES,
  ).action(async (id: string, options: RotateRun) => (await import('./run-keys.js')).rotateKey(id, options));
  withOperator(
    keys.command('list').description('list the API keys of a tenant, newest first').addOption(tenant()),
    '\nExamples:\n  carillon keys list --tenant "$TENANT"',
  ).action(async (options: ListRun) => (await import('./run-keys.js')).listKeys(options));
}

function withOperator(command: Command, examples: string): Command {
  return command
    .addOption(URL_OPTION)
    .addOption(ADMIN_TOKEN_OPTION)
    .addOption(JSON_OPTION)
    .addHelpText('after', examples);
}
