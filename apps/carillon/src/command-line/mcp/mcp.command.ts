import type { Command } from 'commander';
import type { ConnectionOptions } from '../api/connection.js';
import { API_KEY_OPTION, JSON_OPTION, URL_OPTION } from '../options.js';

const EXAMPLES = `
Examples:
  carillon mcp < /dev/null      # checks the address and the key, and ends with its input

An MCP client starts it and talks to it over standard input and output: docs/mcp.md shows the settings of some.`;

export function addMcpCommand(program: Command): void {
  program
    .command('mcp')
    .description('serve the Model Context Protocol on standard input and output (docs/mcp.md)')
    .addOption(URL_OPTION)
    .addOption(API_KEY_OPTION)
    .addOption(JSON_OPTION)
    .addHelpText('after', EXAMPLES)
    .action(async (options: ConnectionOptions) => (await import('./run-mcp.js')).runMcp(options));
}
