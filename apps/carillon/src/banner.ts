import type { Config } from '#config';
import type { Demo } from './seed-demo.js';

interface BannerParts {
  config: Config;
  api: { url: string; operationsPort: number };
  demo: Demo | undefined;
  database: string;
}

/** The text after `npm start`: the URLs, the credentials, and a command that sends a first notification. */
export function banner({ config, api, demo, database }: BannerParts): string {
  const { url, operationsPort } = api;
  const lines = ['', '  Carillon', ''];
  if (demo) lines.push(`  Start      ${url}/            your first minute, step by step`);
  lines.push(
    `  Console    ${url}/console     sign in with the API key below`,
    `  API        ${url}/api/v1      all routes: ${url}/docs`,
  );
  if (demo)
    lines.push(
      `  Mailbox    ${url}/mailbox     messages captured by the sandbox`,
      `  Inbox      ${url}/demo        ${demo.recipientName}'s inbox, live`,
    );
  lines.push(
    `  Health     ${url}/readyz      metrics: http://${config.metricsHost}:${operationsPort}/metrics`,
    `  Database   ${database}`,
    '',
  );
  if (demo) {
    lines.push(
      `  API key      ${demo.apiKey}`,
      `  Admin token  ${config.adminTokenFile ? `in ${config.adminTokenFile}` : 'as set by ADMIN_TOKEN'}`,
      '',
      '  Send your first notification:',
      '',
      curlOf(url, demo),
      '',
    );
  }
  return lines.join('\n');
}

function curlOf(url: string, { apiKey, recipientId, recipientName }: Demo): string {
  const body = {
    recipient_id: recipientId,
    channel: 'email',
    template_id: 'welcome',
    payload: { name: recipientName },
  };
  const headers = `-H 'X-API-Key: ${apiKey}' -H 'Content-Type: application/json'`;
  return `curl -i ${url}/api/v1/notifications ${headers} -d '${JSON.stringify(body)}'`;
}
