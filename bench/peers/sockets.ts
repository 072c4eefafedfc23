// Ten thousand clients in a separate process. Gets orders over IPC; reports how many items arrived, and when the last one did.

import { readFileSync } from 'node:fs';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { OpenOrder, Told } from '../src/socket-orders.ts';

let order: OpenOrder;
let tokens: string[] = [];
let items = 0;
let lastAt = 0;
let gaps = 0;
let expected = Number.POSITIVE_INFINITY;
const lastSeq: number[] = [];
const now = (): number => performance.timeOrigin + performance.now();
const tell = (told: Told): void => void process.send!(told);

function arrived(index: number, seq: number): void {
  if (order.kind === 'carillon') {
    const before = lastSeq[index] ?? 0;
    if (seq !== before + 1) gaps += 1;
    lastSeq[index] = seq;
  }
  items += 1;
  lastAt = now();
  if (items === expected) tell({ told: 'caught up', at: lastAt });
}

/** Reads `seq` from an item frame without parsing it: `{"type":"item","item":{"id":"…","seq":7,…`. */
function seqOf(text: string): number {
  const at = text.indexOf('"seq":') + 6;
  return Number.parseInt(text.slice(at, at + 12), 10);
}

function openOne(index: number): Promise<void> {
  return new Promise((resolve) => {
    if (order.kind === 'socket.io') {
      const socket: Socket = io(`http://127.0.0.1:${order.port}`, {
        transports: ['websocket'],
        forceNew: true,
        reconnection: order.reconnect,
        reconnectionDelay: 100,
        reconnectionDelayMax: 1_000,
        auth: { recipient: `user-${index}` },
      });
      socket.once('connect', () => resolve());
      socket.on('item', () => arrived(index, 0));
      return;
    }
    const url = `ws://127.0.0.1:${order.port}`;
    const connect = (): void => {
      const since = lastSeq[index] === undefined ? '' : `?since=${lastSeq[index]}`;
      const socket =
        order.kind === 'ws'
          ? new WebSocket(url, { perMessageDeflate: false })
          : new WebSocket(`${url}/api/v1/inbox/stream${since}`, ['carillon.v1', tokens[index]!], {
              perMessageDeflate: false,
            });
      socket.on('message', (data: Buffer) => {
        const text = data.toString('latin1');
        if (text.startsWith('{"type":"item"')) arrived(index, seqOf(text));
        else if (text.startsWith('{"type":"ready"')) {
          lastSeq[index] ??= Number.parseInt(text.slice(text.indexOf('"last_seq":') + 11), 10);
          resolve();
        }
      });
      if (order.kind === 'ws') socket.once('open', () => resolve());
      socket.on('error', () => undefined);
      socket.on('close', () => {
        // With jitter, as clients should.
        if (order.reconnect) setTimeout(connect, 100 + Math.random() * 400);
      });
    };
    connect();
  });
}

process.on('disconnect', () => process.exit(0));
process.on('message', async (message: { open: OpenOrder } | { expect: number } | { ask: true }) => {
  if ('expect' in message) {
    items = 0;
    expected = message.expect;
  } else if ('ask' in message) tell({ told: 'items', count: items, lastAt, gaps });
  else {
    order = message.open;
    if (order.tokens) tokens = readFileSync(order.tokens, 'utf8').trim().split('\n');
    const startedAt = performance.now();
    let next = 0;
    await Promise.all(
      Array.from({ length: order.atOnce }, async () => {
        while (next < order.clients) {
          const index = next;
          next += 1;
          await openOne(index);
        }
      }),
    );
    tell({ told: 'open', ms: performance.now() - startedAt });
  }
});
