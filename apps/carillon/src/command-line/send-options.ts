import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { usageError } from './exit-codes.js';
import { jsonObject, listOf, wholeNumber } from './options.js';

export interface SendOptions {
  file?: string;
  recipient?: string;
  to?: string;
  topic?: string;
  channel?: string[];
  template?: string;
  payload?: Record<string, unknown>;
  content?: Record<string, unknown>;
  category?: string;
  priority?: number;
  at?: string;
}

/** The options of a send, for `send` and `explain`. */
export function addSendOptions(command: Command): Command {
  return command
    .option('-r, --recipient <id>', 'the recipient')
    .option('--to <address>', 'an address instead of the stored one; only with one channel')
    .option('--topic <key>', 'the subscribers of a topic instead of a recipient')
    .option('-c, --channel <channel>', 'a channel; repeat it for several', listOf)
    .option('-t, --template <key>', 'the key or id of a template')
    .option('-p, --payload <json>', "the template's variables", jsonObject)
    .option('--content <json>', 'inline content instead of a template', jsonObject)
    .option('--category <key>', 'the category')
    .option('--priority <number>', '1 is most urgent, 10 least', wholeNumber(1, 10))
    .option('--at <time>', 'earliest time of sending, like 2026-12-01T09:00:00Z')
    .option('-f, --file <path>', 'a JSON file with the body of the request, - for standard input; options win over it');
}

/** The body of POST /api/v1/notifications. */
export function sendBodyOf(options: SendOptions): Record<string, unknown> {
  const { channel = [] } = options;
  const given = {
    recipient_id: options.recipient,
    recipient_address: options.to,
    topic: options.topic,
    ...(channel.length === 1 ? { channel: channel[0] } : { channels: channel.length > 0 ? channel : undefined }),
    template_id: options.template,
    payload: options.payload,
    content: options.content,
    category: options.category,
    priority: options.priority,
    scheduled_at: options.at,
  };
  const body = {
    ...(options.file !== undefined && readBody(options.file)),
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  };
  if (Object.keys(body).length === 0)
    throw usageError('Nothing to send: give a recipient, a channel and a template, or --file.');
  return body;
}

function readBody(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usageError(`--file: ${(error as Error).message}`);
  }
  try {
    return jsonObject(text);
  } catch (error) {
    throw usageError(`--file ${file}: ${(error as Error).message}`);
  }
}
