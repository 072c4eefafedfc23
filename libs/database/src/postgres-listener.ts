import type pg from 'pg';
import type { Database } from './database.js';

const RECONNECT_MS = 500;
const PROBE_MS = 15_000;

/**
 * One connection that LISTENs, and comes back by itself when the server was away. Hints can be lost while it is away,
 * so `onReconnect` tells every reader to look for itself.
 */
export class PostgresListener {
  private client: pg.Client | undefined;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly handlers = new Map<string, (payload: string) => void>();
  /** Locks held by the connection that is there now. */
  private held = new Set<string>();
  private readonly reconnectHandlers: (() => void)[] = [];

  constructor(
    private readonly database: Database,
    private readonly onFault: (error: Error) => void,
  ) {}

  /** One handler for a channel; a second one would take the first one's place unseen, and is refused. */
  on(channel: string, handler: (payload: string) => void): void {
    if (this.handlers.has(channel)) throw new Error(`${channel} has a handler already`);
    this.handlers.set(channel, handler);
  }

  onReconnect(handler: () => void): void {
    this.reconnectHandlers.push(handler);
  }

  /** Listens to the channels registered so far. Does not throw when the server is away: it keeps trying. */
  async start(): Promise<void> {
    await this.connect().catch((error: Error) => this.lost(error));
  }

  /** Sends payloads in one statement of its own: NOTIFY inside a write transaction takes a global lock at commit. */
  async notify(channel: string, payloads: string[]): Promise<void> {
    await this.database.platform.query({
      name: 'notify',
      text: 'select pg_notify($1, payload) from unnest($2::text[]) as payload',
      values: [channel, payloads],
    });
  }

  /**
   * Whether this process is the one that holds the lock of this name now; takes it when nobody does. It is held by the
   * listening connection, and falls free with it.
   */
  async holds(name: string): Promise<boolean> {
    const { client } = this;
    if (!client) return false;
    if (this.held.has(name)) return true;
    const { rows } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock(hashtext($1)) as taken', [
      name,
    ]);
    if (!rows[0]!.taken || this.client !== client) return false;
    this.held.add(name);
    return true;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    const client = this.database.newClient();
    client.on('error', (error) => this.lost(error, client));
    client.on('end', () => this.lost(new Error('the listening connection ended'), client));
    client.on('notification', (message) => this.handlers.get(message.channel)?.(message.payload ?? ''));
    await client.connect();
    for (const channel of this.handlers.keys()) await client.query(`listen ${channel}`);
    if (this.closed) return void (await client.end());
    this.held = new Set();
    this.client = client;
    this.probe(client);
    for (const handler of this.reconnectHandlers) handler();
  }

  /** A half-open connection shows no error of its own; a question without an answer does. */
  private probe(client: pg.Client): void {
    this.timer = setTimeout(() => {
      const late = setTimeout(() => this.lost(new Error('the listening connection does not answer'), client), 2_000);
      client
        .query('select 1')
        .then(() => this.client === client && this.probe(client))
        .catch(() => undefined)
        .finally(() => clearTimeout(late));
    }, PROBE_MS);
    this.timer.unref();
  }

  private lost(error: Error, from?: pg.Client): void {
    if (this.closed || (from && this.client && from !== this.client)) return;
    if (from && !this.client) return;
    const client = this.client;
    this.client = undefined;
    client?.removeAllListeners('end');
    client?.end().catch(() => undefined);
    clearTimeout(this.timer);
    this.onFault(error);
    this.retry();
  }

  private retry(): void {
    this.timer = setTimeout(() => {
      this.connect().catch((error: Error) => {
        this.onFault(error);
        if (!this.closed) this.retry();
      });
    }, RECONNECT_MS);
    this.timer.unref();
  }
}
