import type { Config } from '#config';
import type { Demo } from './seed-demo.js';

/** What a newcomer reads after `npm start`: where everything is, and one command that works as it stands. */
export function banner(
  config: Config,
  url: string,
  operationsPort: number,
  demo: Demo | undefined,
  database: string,
): string {
  const lines = ['', '  Carillon', '', `  API        ${url}/api/v1      (all routes: ${url}/docs)`];
  if (demo)
    lines.push(
      `  Mailbox    ${url}/mailbox     what the sandbox took`,
      `  Inbox      ${url}/demo        ${demo.recipientName}'s inbox, live`,
    );
  lines.push(
    `  Health     ${url}/readyz      metrics: http://${config.host}:${operationsPort}/metrics`,
    `  Database   ${database}`,
    '',
  );
  if (demo) {
    lines.push(
      `  API key      ${demo.apiKey}`,
      `  Admin token  ${config.adminToken}`,
      '',
      '  Send your first notification:',
      '',
      `curl -i ${url}/api/v1/notifications -H 'X-API-Key: ${demo.apiKey}' -H 'Content-Type: application/json' -d '{"recipient_id":"${demo.recipientId}","channel":"email","template_id":"welcome","payload":{"name":"${demo.recipientName}"}}'`,
      '',
    );
  }
  return lines.join('\n');
}
