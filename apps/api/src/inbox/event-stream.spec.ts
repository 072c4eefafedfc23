import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { EventStream } from './event-stream.js';
import type { Frame } from './inbox.schema.js';

it('ends for a client that does not read, and drops later frames', async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  const stream = new EventStream(response);
  const frame = { type: 'counts', padding: 'x'.repeat(1_000_000) } as unknown as Frame;
  // More than the kernel buffers of both sides take.
  for (let count = 0; count < 20; count += 1) stream.send([frame]);
  expect(stream.buffered()).toBeGreaterThan(0);
  const closed = once(response, 'close');
  stream.end();
  for (let count = 0; count < 3; count += 1) stream.send([frame]);
  stream.closeRestarting();
  await closed;
  stream.send([frame]);
  client.destroy();
  server.close();
});
