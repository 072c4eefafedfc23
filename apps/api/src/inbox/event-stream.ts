import type { ServerResponse } from 'node:http';
import type { Frame } from './inbox.schema.js';
import type { StreamConnection } from './stream-hub.js';

/** Keeps proxies from closing an idle stream. */
const KEEP_ALIVE_MS = 25_000;
/** A client that does not read does not close its connection either. */
const CLOSE_MS = 2_000;

/** A response of server-sent events (WHATWG HTML, section 9.2). Writes after its end are dropped. */
export class EventStream implements StreamConnection {
  readonly kind = 'sse';
  private readonly keepAlive: NodeJS.Timeout;

  constructor(private readonly response: ServerResponse) {
    // Without a listener an error of the connection would end the process.
    response.on('error', () => response.destroy());
    response.on('close', () => clearInterval(this.keepAlive));
    this.keepAlive = setInterval(() => this.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
  }

  send(frames: readonly Frame[]): void {
    this.write(frames.map(eventOf).join(''));
  }

  buffered(): number {
    return this.response.writableLength;
  }

  closeTooSlow(): void {
    this.response.destroy();
  }

  closeRestarting(): void {
    this.end('retry: 1000\n\n');
  }

  closeEnded(): void {
    this.end();
  }

  /** Ends the response after `last`, and the connection if the client does not read it. */
  end(last = ''): void {
    if (this.response.writableEnded) return;
    clearInterval(this.keepAlive);
    this.response.end(last);
    const timer = setTimeout(() => this.response.destroy(), CLOSE_MS);
    this.response.on('close', () => clearTimeout(timer));
  }

  private write(text: string): void {
    if (!this.response.writableEnded && !this.response.destroyed) this.response.write(text);
  }
}

/** A server-sent event. Only items have an id, so Last-Event-ID is the sequence number of the last item. */
function eventOf(frame: Frame): string {
  const id = frame.type === 'item' ? `id: ${frame.item.seq}\n` : '';
  return `${id}event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`;
}
