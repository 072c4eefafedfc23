import type { ApiClient } from './api/api-client.js';
import { type ConnectionOptions, connect } from './api/connection.js';
import { type DeliveryAnswer, stateText } from './api/views.js';
import { CommandError, exitCodes, usageError } from './exit-codes.js';
import { type JsonOption, printResult, table } from './output.js';
import { type SendOptions, sendBodyOf } from './send-options.js';

export interface ExplainRun extends SendOptions, ConnectionOptions, JsonOption {}

interface TimelineEntry {
  at: string;
  code: string;
  attempt: number | null;
  outcome: string | null;
  provider: string | null;
  provider_code: string | null;
  reason: string | null;
  rule: string | null;
  detail: string | null;
  duration_ms: number | null;
  until: string | null;
}

export interface DeliveryWithTimeline extends DeliveryAnswer {
  notification_id: string;
  timeline: TimelineEntry[];
}

interface Verdict {
  state: string;
  reason: string | null;
  rule: string | null;
  detail: string | null;
  due_at: string | null;
}

export interface DeliveryExplanation extends Verdict {
  channel: string;
  recipient_id: string;
  when_due: Verdict | null;
  provider_order: { name: string | null; provider: string; health: string; permitted: boolean }[];
  caps: { rule: string; limit: number; remaining: number }[];
  errors: { pointer: string; message: string }[];
}

export async function runExplain(id: string | undefined, options: ExplainRun): Promise<void> {
  const { url: _url, apiKey: _key, json: _json, ...send } = options;
  if (id !== undefined && Object.keys(send).length > 0)
    throw usageError('Give an id, or the options of a send, not both.');
  const body = id === undefined ? sendBodyOf(options) : undefined;
  const client = await connect(options, 'api-key');
  if (id !== undefined) {
    const deliveries = await deliveriesOf(client, id);
    printResult(options, { deliveries }, () => deliveries.map(timelineText).join('\n\n'));
    return;
  }
  const { idempotency_key: _ignored, ...planned } = body!;
  const answer: { deliveries: DeliveryExplanation[] } = await client.request('POST', '/api/v1/notifications/explain', {
    body: planned,
  });
  printResult(options, answer, () => answer.deliveries.map(explanationText).join('\n\n'));
}

/** Of a delivery's id that delivery, of a notification's id its first 20. */
export async function deliveriesOf(client: ApiClient, id: string): Promise<DeliveryWithTimeline[]> {
  const path = `/api/v1/deliveries/${encodeURIComponent(id)}`;
  try {
    return [await client.request('GET', path)];
  } catch (error) {
    if (!(error instanceof CommandError) || error.details['status'] !== 404) throw error;
  }
  const found: DeliveryWithTimeline[] = [];
  const list = client.list<DeliveryAnswer>(`/api/v1/notifications/${encodeURIComponent(id)}/deliveries`, {}, 20);
  try {
    for await (const { id: delivery } of list)
      found.push(await client.request('GET', `/api/v1/deliveries/${delivery}`));
  } catch (error) {
    if (!(error instanceof CommandError) || error.details['status'] !== 404) throw error;
    throw new CommandError(`There is no delivery and no notification ${JSON.stringify(id)}.`, exitCodes.refused, {
      code: 'not_found',
    });
  }
  return found;
}

function timelineText(delivery: DeliveryWithTimeline): string {
  const { id, channel, recipient_id: recipient, notification_id: notification, timeline } = delivery;
  const rows = timelineRows(timeline);
  return (
    `delivery ${id} of notification ${notification}\n${channel} to ${recipient}: ${stateText(delivery)}\n` +
    table(['at', 'what', 'details'], rows)
  );
}

/** Time, code and details of each entry. */
export function timelineRows(timeline: readonly TimelineEntry[]): [string, string, string][] {
  return timeline.map((entry) => [entry.at, entry.code, entryText(entry)]);
}

function entryText(entry: TimelineEntry): string {
  return [
    entry.attempt === null ? null : `attempt ${entry.attempt}`,
    entry.outcome,
    entry.provider,
    entry.provider_code,
    entry.reason,
    entry.rule,
    entry.detail,
    entry.duration_ms === null ? null : `${entry.duration_ms} ms`,
    entry.until === null ? null : `until ${entry.until}`,
  ]
    .filter((part) => part !== null && part !== undefined)
    .join(', ');
}

function explanationText(one: DeliveryExplanation): string {
  const lines = [`${one.channel} to ${one.recipient_id}: ${verdictText(one)}`];
  if (one.when_due) lines.push(`  then: ${verdictText(one.when_due)}`);
  const accounts = one.provider_order.map(
    ({ name, provider, health, permitted }) =>
      `${name ?? provider}${health === 'closed' ? '' : ` (breaker ${health})`}${permitted ? '' : ' (not permitted)'}`,
  );
  if (accounts.length > 0) lines.push(`  accounts, in order: ${accounts.join(', ')}`);
  for (const { rule, remaining, limit } of one.caps) lines.push(`  ${rule}: ${remaining} of ${limit} left`);
  for (const { pointer, message } of one.errors) lines.push(`  error in ${pointer}: ${message}`);
  return lines.join('\n');
}

function verdictText(verdict: Verdict): string {
  const why = [verdict.rule, verdict.detail].filter((part) => part !== null).join(', ');
  return `${stateText(verdict)}${why === '' ? '' : `: ${why}`}`;
}
