import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from './api/api-client.js';
import { type ConnectionOptions, connect } from './api/connection.js';
import { isNotificationFinal, type NotificationAnswer, stateText } from './api/views.js';
import { type JsonOption, printItem, printNote } from './output.js';

const POLL_MS = 1_000;
/** New notifications that one poll reads, so that a busy tenant's requests are not used up. */
const MAX_NEW = 500;
/** Notifications that are not final and are read again in one poll, the least recently read first. */
const MAX_READ_AGAIN = 20;
/** Notifications that are followed at a time; the oldest are dropped. */
const MAX_FOLLOWED = 5_000;
/**
 * A poll ends after so many known notifications in a row, not after the first: the clocks of APIs differ, so a new one
 * may come after known ones.
 */
const KNOWN_IN_A_ROW = 20;

export interface TailRun extends ConnectionOptions, JsonOption {
  recipient?: string;
  channel?: string;
  since: number;
  seconds?: number;
}

export async function runTail(options: TailRun): Promise<void> {
  const client = await connect(options, 'api-key');
  const startedAt = Date.now();
  const tail = new Tail(client, options);
  await tail.begin(new Date(startedAt - options.since * 1_000));
  const endAt = options.seconds === undefined ? Number.POSITIVE_INFINITY : startedAt + options.seconds * 1_000;
  while (Date.now() < endAt) {
    await tail.poll();
    await delay(Math.max(0, Math.min(POLL_MS, endAt - Date.now())));
  }
}

/** Finds changes by polling: the API has no stream of deliveries. */
class Tail {
  /** Printed states by delivery, for each notification; in the order in which they were last read. */
  private readonly followed = new Map<string, Map<string, string>>();
  private readonly ended = new Set<string>();
  /** Only notifications created later are read. */
  private after: string | undefined;

  constructor(
    private readonly client: ApiClient,
    private readonly options: TailRun,
  ) {}

  /** Without `--since` it begins after the newest notification: clocks of this machine and the server may differ. */
  async begin(since: Date): Promise<void> {
    if (this.options.since > 0) this.after = since.toISOString();
    else
      for await (const newest of this.client.list<NotificationAnswer>('/api/v1/notifications', {}, 1)) {
        this.after = newest.created_at;
        this.ended.add(newest.id);
      }
  }

  async poll(): Promise<void> {
    const open = [...this.followed.keys()].slice(0, MAX_READ_AGAIN);
    for (const one of await this.newNotifications()) this.take(one);
    for (const id of open) this.take(await this.client.request('GET', `/api/v1/notifications/${id}`));
  }

  /** Oldest first. */
  private async newNotifications(): Promise<NotificationAnswer[]> {
    const { recipient, channel } = this.options;
    const query = { recipient_id: recipient, channel, created_after: this.after };
    const found: NotificationAnswer[] = [];
    let known = 0;
    for await (const one of this.client.list<NotificationAnswer>('/api/v1/notifications', query)) {
      const isKnown = this.followed.has(one.id) || this.ended.has(one.id);
      known = isKnown ? known + 1 : 0;
      if (known === KNOWN_IN_A_ROW) break;
      if (isKnown) continue;
      found.push(one);
      if (found.length === MAX_NEW) {
        printNote(`More than ${MAX_NEW} new notifications: the older ones are left out.`);
        break;
      }
    }
    return found.reverse();
  }

  private take(notification: NotificationAnswer): void {
    const { id, deliveries } = notification;
    const before = this.followed.get(id) ?? new Map<string, string>();
    for (const one of deliveries) {
      const state = stateText(one);
      if (before.get(one.id) === state) continue;
      before.set(one.id, state);
      if (this.options.channel !== undefined && one.channel !== this.options.channel) continue;
      const change = {
        at: new Date().toISOString(),
        notification_id: id,
        delivery_id: one.id,
        channel: one.channel,
        recipient_id: one.recipient_id,
        state: one.state,
        reason: one.reason,
        due_at: one.due_at,
      };
      printItem(this.options, change, () => `${change.at}  ${one.id}  ${one.channel}  ${one.recipient_id}  ${state}`);
    }
    this.followed.delete(id);
    if (isNotificationFinal(notification)) this.ended.add(id);
    else this.followed.set(id, before);
    dropOldest(this.followed);
    dropOldest(this.ended);
  }
}

/** Maps and sets keep the order in which keys were added. */
function dropOldest(collection: { size: number; keys(): Iterator<string>; delete(key: string): boolean }): void {
  if (collection.size > MAX_FOLLOWED) collection.delete(collection.keys().next().value as string);
}
