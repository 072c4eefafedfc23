import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { type ConnectionOptions, connect } from '../api/connection.js';
import { CommandError, exitCodes } from '../exit-codes.js';
import { count, printNote } from '../output.js';
import { mcpServer, type OwnKey, permittedTools, TOOLS } from './mcp-server.js';

/**
 * Serves one client until standard input ends. Standard output has messages of the protocol only. Throws CommandError
 * if the key is refused or can use no tool, or Carillon is unavailable.
 */
export async function runMcp(options: ConnectionOptions): Promise<void> {
  const client = await connect(options, 'api-key');
  const key: OwnKey = await client.request('GET', '/api/v1/api-key');
  const tools = permittedTools(key);
  if (tools.length === 0) {
    const wanted = [...new Set(TOOLS.flatMap(({ scopes }) => scopes))].sort().join(', ');
    throw new CommandError(`The API key permits no tool. It needs some of the scopes ${wanted}.`, exitCodes.refused, {
      code: 'forbidden',
    });
  }
  if (!options.json) printNote(`Serves ${count(tools.length, 'tool')} for ${key.tenant.name} (${key.mode} key).`);
  serveStdio(() => mcpServer(client, key), { onerror: (error) => printNote(`MCP: ${error.message}`) });
}
