// The order of events in a stream, with a server that answers when the test says so.

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inbox, type InboxStream, type StreamState } from '@carillon/client/inbox';
import { afterEach, expect, it, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { until } from '../../../libs/testing/src/index.js';

let server: Server;
let stream: InboxStream;
afterEach(() => {
  stream.close();
  server.close().closeAllConnections();
  vi.unstubAllGlobals();
});

it.each([200, 401])(
  'a connection that is live stays, whatever the request says that an earlier break has begun (%i)',
  async (status) => {
    const events = new EventTarget();
    for (const name of ['addEventListener', 'removeEventListener'] as const)
      vi.stubGlobal(name, events[name].bind(events));
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'carillon.v1' });
    const requests: ServerResponse[] = [];
    const live: WebSocket[] = [];
    let connections = 0;
    server = createServer((_request, response) => void requests.push(response));
    server.on('upgrade', (request, socket, head) => {
      connections += 1;
      if (connections === 1) return socket.destroy();
      sockets.handleUpgrade(request, socket, head, (one) => {
        live.push(one);
        one.send(JSON.stringify({ type: 'ready', last_seq: 0, counts: {} }));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const states: StreamState[] = [];
    const items: unknown[] = [];
    const inbox = new Inbox({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'x' });
    stream = inbox.stream({ onState: (state) => states.push(state), onItem: (item) => items.push(item) });
    await until('it asks for the reason', () => requests.length === 1);
    events.dispatchEvent(new Event('online'));
    await until('it is live', () => states.at(-1) === 'live');
    requests[0]!.writeHead(status, { 'Content-Type': 'application/json' }).end('{}');
    await until('the answer is sent', () => requests[0]!.writableFinished);
    // Round trips of the stream, in which the client reads the answer.
    for (let seq = 1; seq <= 30; seq += 1) {
      live[0]!.send(JSON.stringify({ type: 'item', item: { seq } }));
      await until('the item is there', () => items.length === seq, 2_000);
    }
    expect([connections, states]).toEqual([2, ['connecting', 'waiting', 'connecting', 'live']]);
  },
);
