import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../services/programs.ts';
import { Clients, fileItems } from './b6-sockets.ts';

import { startPeer } from './peer.ts';
import { type Context, check, type Figures, type Scenario } from './scenario.ts';

const SIZES = { smoke: 500, small: 5_000, full: 10_000 };
const now = (): number => performance.timeOrigin + performance.now();

export const b7: Scenario = {
  id: 'B7',
  title:
    'reconnect storm: the API is killed with all streams open; from its restart to the last missed item at its client',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const clients = SIZES[size];
    const tenant = await product.tenant(clients);
    const tokens = await product.tokens(tenant, clients);
    const port = await freePort();
    const first = await product.start('api', { PORT: String(port) });
    const sockets = new Clients();
    await fileItems(product, tenant, clients);
    await sockets.open({ kind: 'carillon', port, tokens, clients, atOnce: 64, reconnect: true });
    // Inserted without a hint: items that a crashing API no longer sends.
    await fileItems(product, tenant, clients);
    await first.kill();
    const caughtUp = sockets.expect(2 * clients);
    await fileItems(product, tenant, clients);
    const second = await product.start('api', { PORT: String(port) }, profiles);
    const readyAt = now();
    const seconds = ((await caughtUp).at - readyAt) / 1_000;
    await delay(500);
    const { count, gaps } = await sockets.items();
    check('items missed while disconnected', 2 * clients - count, 0);
    check('items repeated or out of order', gaps, 0);
    say(`${clients} streams back and caught up ${seconds.toFixed(1)} s after the gateway was ready again`);
    sockets.close();
    await second.stop();
    const peer = await handshakes(clients);
    say(`socket.io: ${clients} handshakes alone in ${peer.toFixed(1)} s`);
    return {
      id: 'B7',
      work: this.title,
      figures: { caught_up_s: seconds, missed: 0, socket_io_handshakes_s: peer },
      headline: { name: `${clients} streams back, nothing missed`, value: seconds, unit: 's' },
      limit: { name: 'socket.io: the handshakes alone, nothing recovered', value: peer },
      peers: [{ name: 'socket.io (its state recovery does not outlive the process)', value: peer }],
      ratio: peer / seconds,
      floor: 0.05,
      targets: [{ name: '≤ 5 s', met: seconds <= 5 }],
    };
  },
};

async function handshakes(clients: number): Promise<number> {
  const port = await freePort();
  const peer = await startPeer('socket-server.ts', ['socket.io'], { PORT: String(port) });
  const sockets = new Clients();
  const ms = await sockets.open({ kind: 'socket.io', port, clients, atOnce: clients, reconnect: true });
  sockets.close();
  await peer.stop();
  return ms / 1_000;
}
