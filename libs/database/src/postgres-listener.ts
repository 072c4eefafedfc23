import type pg from 'pg';
import type { Database } from './database.js';

const RECONNECT_MS = 500;
const PROBE_MS = 15_000;

/**
 * A connection for LISTEN that reconnects by itself after an outage. Notifications of the outage are lost, so the
 * handlers of `onReconnect` must read the present state from the tables.
 */
export class PostgresListener {
  private client: pg.Client | undefined;
  private closed = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly handlers = new Map<string, (payload: string) => void>();
  /** Names of the locks that the present connection holds. */
  private held = new Set<string>();
  private readonly reconnectHandlers: (() => void)[] = [];
  /** The last query of the present connection. */
  private lastQuery: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly onFault: (error: Error) => void,
  ) {}

  /** Sets the handler of a channel. Throws for a second one, which would silently replace the first. */
  on(channel: string, handler: (payload: string) => void): void {
    if (this.handlers.has(channel)) throw new Error(`the channel ${channel} already has a handler`);
    this.handlers.set(channel, handler);
  }

  onReconnect(handler: () => void): void {
    this.reconnectHandlers.push(handler);
  }

  /** Listens to the channels registered so far. Does not throw if the server is unavailable: it keeps trying. */
  async start(): Promise<void> {
    await this.connect().catch((error: Error) => this.lost(error));
  }

  /** Sends payloads in a separate statement: NOTIFY in a write transaction takes a global lock at commit. */
  async notify(channel: string, payloads: string[]): Promise<void> {
    await this.database.platform.query({
      name: 'notify',
      text: 'select pg_notify($1, payload) from unnest($2::text[]) as payload',
      values: [channel, payloads],
    });
  }

  /**
   * Whether this process holds the lock of this name; takes the lock if it is free. The listening connection holds it,
   * and losing the connection frees it.
   */
  async holds(name: string): Promise<boolean> {
    const { client } = this;
    if (!client) return false;
    if (this.held.has(name)) return true;
    const text = 'select pg_try_advisory_lock(hashtext($1)) as taken';
    const { rows } = await this.inTurn(() => client.query<{ taken: boolean }>(text, [name]));
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
    this.lastQuery = Promise.resolve();
    this.client = client;
    this.probe(client);
    for (const handler of this.reconnectHandlers) handler();
  }

  /** One query at a time: several tasks ask for locks, and pg 9 refuses a query while another one runs. */
  private async inTurn<T>(query: () => Promise<T>): Promise<T> {
    const result = this.lastQuery.then(query);
    this.lastQuery = result.catch(() => undefined);
    return await result;
  }

  /** Detects a half-open connection, which reports no error by itself, by a query without a result. */
  private probe(client: pg.Client): void {
    this.timer = setTimeout(() => {
      const late = setTimeout(() => this.lost(new Error('the listening connection does not respond'), client), 2_000);
      this.inTurn(() => client.query('select 1'))
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
