import { Command, CommanderError } from 'commander';
import { oldestNode, version } from '../../../api/src/version.js';
import { addDlqCommands } from './dlq/dlq.commands.js';
import { addDoctorCommand } from './doctor.command.js';
import { CommandError, exitCodes, usageError } from './exit-codes.js';
import { addExplainCommand } from './explain.command.js';
import { addImportCommands } from './import/import.commands.js';
import { addKeysCommands } from './keys.commands.js';
import { addMcpCommand } from './mcp/mcp.command.js';
import { jsonText, printable } from './output.js';
import { addRoleCommands } from './role.commands.js';
import { addSecretsCommands } from './secrets.commands.js';
import { addSendCommand } from './send.command.js';
import { addTailCommand } from './tail.command.js';
import { addTemplatesCommands } from './templates/templates.commands.js';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong command or setting, 3 refused by Carillon, 4 Carillon or the database is
unreachable, 5 done with something to act on (findings, failed items). docs/cli.md has more.`;

/**
 * All commands. They import what they need when they run, so that `carillon --help` does not load the product: it takes
 * less than 300 ms.
 */
export function commandLine(isJson = false): Command {
  const program = new Command('carillon')
    .description('Operates Carillon: starts its processes, sends, inspects, repairs.')
    .version(version, '-V, --version', 'print the version')
    .exitOverride()
    .showHelpAfterError(isJson ? false : 'Run it with --help for its options and examples.')
    .configureOutput({ outputError: (text, write) => write(isJson ? `${usageJson(text)}\n` : text) });
  addRoleCommands(program);
  addSecretsCommands(program);
  addDoctorCommand(program);
  addSendCommand(program);
  addTailCommand(program);
  addExplainCommand(program);
  addDlqCommands(program);
  addTemplatesCommands(program);
  addKeysCommands(program);
  addMcpCommand(program);
  addImportCommands(program);
  program.addHelpText('after', EXIT_CODES);
  return program;
}

/** Runs a command and sets the exit code of the process. */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  // A reader that ends early, such as `head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.ok);
    throw error;
  });
  const isJson = args.includes('--json');
  try {
    requireNode();
    await commandLine(isJson).parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = report(error, isJson);
  }
}

/** An older Node fails while it loads the product, with an error that does not name the cause. */
function requireNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = oldestNode.split('.').map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  throw usageError(
    `Carillon needs Node ${oldestNode} or newer, and this is ${process.versions.node}. ` +
      'In a clone, npm and npx use the Node that `npm ci` has installed.',
  );
}

function report(error: unknown, isJson: boolean): number {
  // Commander has printed its own errors, and the help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const known = commandErrorOf(error);
  if (isJson) {
    const { message, exitCode, details } =
      known ?? new CommandError(String(error), exitCodes.failed, { code: 'internal' });
    process.stderr.write(`${jsonText({ error: { message, exit_code: exitCode, ...details } })}\n`);
    return exitCode;
  }
  if (known) process.stderr.write(`${printable(known.message)}\n`);
  else console.error(error);
  return known?.exitCode ?? exitCodes.failed;
}

/** Errors of the product that have a message for the user, by name: their classes would load the product. */
const NAMED_ERRORS: Readonly<Record<string, number>> = {
  ConfigError: exitCodes.usage,
  LoginsNotCreated: exitCodes.failed,
  MigrationFailed: exitCodes.failed,
  ServerTooOld: exitCodes.usage,
  WrongMasterKey: exitCodes.usage,
};

function commandErrorOf(error: unknown): CommandError | null {
  if (error instanceof CommandError) return error;
  if (!(error instanceof Error)) return null;
  const exitCode = NAMED_ERRORS[error.name];
  if (exitCode !== undefined) return new CommandError(error.message, exitCode, { code: snakeCase(error.name) });
  const { code } = error as NodeJS.ErrnoException;
  // The database's own errors: `unavailable` of its stores, and those of a connection that cannot be made.
  if (code === 'unavailable' || (code !== undefined && /^(E[A-Z]+|28...|3D000|57P..)$/.test(code)))
    return new CommandError(error.message || code, exitCodes.unavailable, { code: 'unavailable' });
  return null;
}

function snakeCase(name: string): string {
  return name.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function usageJson(text: string): string {
  const message = text.replace(/^error: /, '').trim();
  return jsonText({ error: { message, exit_code: exitCodes.usage, code: 'usage' } });
}
