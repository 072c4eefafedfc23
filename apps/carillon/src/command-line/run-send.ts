import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from './api/api-client.js';
import { type ConnectionOptions, connect } from './api/connection.js';
import { isNotificationFinal, type NotificationAnswer, stateText } from './api/views.js';
import { CommandError, exitCodes } from './exit-codes.js';
import { type JsonOption, ProgressLine, printNote, printResult, table } from './output.js';
import { type SendOptions, sendBodyOf } from './send-options.js';

const POLL_MS = 500;

export interface SendRun extends SendOptions, ConnectionOptions, JsonOption {
  idempotencyKey?: string;
  wait?: number;
}

export async function runSend(options: SendRun): Promise<void> {
  const body = sendBodyOf(options);
  const key = options.idempotencyKey ?? (body['idempotency_key'] as string | undefined) ?? randomUUID();
  const client = await connect(options, 'api-key');
  let notification = await send(client, body, key);
  if (options.wait !== undefined) notification = await untilFinal(client, notification, options.wait);
  printResult(options, notification, () => textOf(notification));
  if (options.wait !== undefined && notification.status !== 'sent') {
    printNote(
      isNotificationFinal(notification)
        ? `It ended as ${notification.status}. \`carillon explain ${notification.id}\` shows why.`
        : `It is not final after ${options.wait} s.`,
    );
    process.exitCode = exitCodes.findings;
  }
}

async function send(client: ApiClient, body: Record<string, unknown>, key: string): Promise<NotificationAnswer> {
  try {
    const { idempotency_key: _key, ...rest } = body;
    return await client.request('POST', '/api/v1/notifications', { body: rest, headers: { 'Idempotency-Key': key } });
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== exitCodes.unavailable) throw error;
    // It may have been accepted.
    const hint = `Repeat it with --idempotency-key ${key}: then it cannot be sent twice.`;
    throw new CommandError(`${error.message}\n${hint}`, error.exitCode, { ...error.details, idempotency_key: key });
  }
}

async function untilFinal(
  client: ApiClient,
  accepted: NotificationAnswer,
  seconds: number,
): Promise<NotificationAnswer> {
  const progress = new ProgressLine();
  const endAt = performance.now() + seconds * 1_000;
  let latest = accepted;
  while (!isNotificationFinal(latest) && performance.now() < endAt) {
    progress.show(`${latest.status}, waiting`);
    await delay(POLL_MS);
    latest = await client.request('GET', `/api/v1/notifications/${accepted.id}`);
  }
  progress.end();
  return latest;
}

function textOf({ id, status, deliveries }: NotificationAnswer): string {
  const rows = deliveries.map((one) => [one.id, one.channel, one.recipient_id, stateText(one)]);
  const list = rows.length === 0 ? '' : `\n${table(['delivery', 'channel', 'recipient', 'state'], rows)}`;
  return `notification ${id} is ${status}${list}`;
}
