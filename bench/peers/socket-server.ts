// A server that pushes frames: node socket-server.ts ws|socket.io. `one each` on standard input sends one item to each
// client. Prints `ready`, and the duration of the loop.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';

const ITEM = {
  id: '01900000-0000-7000-8000-000000000000',
  seq: 1,
  title: 'Welcome, Alice',
  body: 'Good to have you.',
  action_url: null,
  data: null,
  category: 'default',
  created_at: '2026-01-01T00:00:00.000Z',
  seen_at: null,
  read_at: null,
  archived_at: null,
};
const COUNTS = '{"type":"counts","counts":{"total":1,"unread":1,"unseen":1}}';
const http = createServer();
let oneEach: () => void;

if (process.argv[2] === 'ws') {
  const server = new WebSocketServer({ server: http, perMessageDeflate: false });
  // Two prepared frames for each client, like Carillon's: the item and the counters.
  const frame = JSON.stringify({ type: 'item', item: ITEM });
  oneEach = () => {
    for (const socket of server.clients) {
      socket.send(frame);
      socket.send(COUNTS);
    }
  };
} else {
  const server = new Server(http, { transports: ['websocket'], perMessageDeflate: false });
  server.on('connection', (socket) => void socket.join(`recipient:${socket.handshake.auth['recipient']}`));
  let count = 0;
  oneEach = () => {
    count = server.engine.clientsCount;
    for (let index = 0; index < count; index += 1) {
      server.to(`recipient:user-${index}`).emit('item', ITEM);
      server.to(`recipient:user-${index}`).emit('counts', { total: 1, unread: 1, unseen: 1 });
    }
  };
}
http.listen(Number(process.env.PORT), '127.0.0.1', 1_024, () => console.log('ready'));
createInterface({ input: process.stdin }).on('line', () => oneEach());
process.on('SIGTERM', () => process.exit(0));
