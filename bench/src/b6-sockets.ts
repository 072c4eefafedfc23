import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Database, PostgresListener } from '../../dist/libs/database/src/index.js';
import { PostgresBus } from '../../dist/libs/realtime/src/index.js';
import { freePort } from '../../services/programs.ts';
import { type BenchEnvironment, type BenchTenant } from './bench-environment.ts';
import { type Peer, startPeer } from './peer.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';
import type { OpenOrder, Told } from './socket-orders.ts';

const SIZES = {
  smoke: { clients: 500, rounds: 2 },
  small: { clients: 5_000, rounds: 5 },
  full: { clients: 10_000, rounds: 5 },
};
const AT_ONCE = 64;
const now = (): number => performance.timeOrigin + performance.now();

/** The clients of one server, in a separate process. */
export class Clients {
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(join(import.meta.dirname, '../peers/sockets.ts'), { execArgv: ['--max-old-space-size=4096'] });
  }

  /** Opens all sockets and resolves with the milliseconds that this took. */
  async open(order: OpenOrder): Promise<number> {
    const done = this.hear('open');
    this.child.send({ open: order });
    return (await done).ms;
  }

  /** Counts items from now on. Resolves with the time of the last one, when so many have arrived. */
  expect(items: number): Promise<{ at: number }> {
    const done = this.hear('caught up');
    this.child.send({ expect: items });
    return done;
  }

  async items(): Promise<{ count: number; gaps: number }> {
    const done = this.hear('items');
    this.child.send({ ask: true });
    return await done;
  }

  close(): void {
    this.child.kill('SIGKILL');
  }

  private hear<K extends Told['told']>(told: K): Promise<Extract<Told, { told: K }>> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`the clients did not tell "${told}" within two minutes`)),
        120_000,
      );
      const listen = (message: Told): void => {
        if (message.told !== told) return;
        clearTimeout(late);
        this.child.off('message', listen);
        resolve(message as Extract<Told, { told: K }>);
      };
      this.child.on('message', listen);
    });
  }
}

/** Inserts one inbox item for each of so many recipients, as the record of a worker does. Returns their ids. */
export async function fileItems(product: BenchEnvironment, tenant: BenchTenant, recipients: number): Promise<string[]> {
  await product.sql.query(
    `with counted as (
       insert into inbox_counters as c (tenant_id, recipient_id, last_seq, total, unread, unseen)
       select $1, 'user-' || n, 1, 1, 1, 1 from generate_series(0, $2::int - 1) n
       on conflict (tenant_id, recipient_id) do update set last_seq = c.last_seq + 1, total = c.total + 1, unread = c.unread + 1, unseen = c.unseen + 1
       returning recipient_id, last_seq
     )
     insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body)
     select $1, recipient_id, last_seq, gen_random_uuid(), 'default', 'Welcome, Alice', 'Good to have you.' from counted`,
    [tenant.id, recipients],
  );
  return Array.from({ length: recipients }, (_, index) => `user-${index}`);
}

export const b6: Scenario = {
  id: 'B6',
  title:
    'sockets: an item and the counters to each of the open inbox streams, from the hint to the last frame at a client',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { clients, rounds } = SIZES[size];
    const tenant = await product.tenant(clients);
    const tokens = await product.tokens(tenant, clients);
    const api = await product.start('api', {}, profiles);
    const idle = rss(api.pid);
    const ours = new Clients();
    const opened = await ours.open({
      kind: 'carillon',
      port: api.port,
      tokens,
      clients,
      atOnce: AT_ONCE,
      reconnect: false,
    });
    const perSocket = (rss(api.pid) - idle) / clients;
    say(`${clients} streams open in ${(opened / 1_000).toFixed(1)} s, ${(perSocket / 1_024).toFixed(1)} kB each`);
    // Acts as a worker: the rows are committed, now the hints are published.
    const database = new Database({ url: product.databaseUrl, poolSize: 2 });
    const bus = new PostgresBus(new PostgresListener(database, () => undefined), (error) => {
      throw error;
    });
    const rates: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const recipients = await fileItems(product, tenant, clients);
      await delay(500);
      const last = ours.expect(clients);
      const startedAt = now();
      bus.publish(recipients.map((recipientId) => ({ kind: 'inbox', tenantId: tenant.id, recipientId })));
      rates.push(clients / (((await last).at - startedAt) / 1_000));
      say(`round ${round + 1} of ${rounds}: ${Math.round(rates.at(-1)!)} items/s`);
    }
    const { count, gaps } = await ours.items();
    check('items of the last round', count, clients);
    check('items missed or repeated', gaps, 0);
    await database.close();
    ours.close();
    await api.stop();

    const peerRates: Record<string, number> = {};
    for (const kind of ['ws', 'socket.io'] as const) {
      peerRates[kind] = await peerRate(kind, clients, rounds);
      say(`${kind}: ${Math.round(peerRates[kind])} items/s`);
    }
    const rate = median(rates);
    const raw = peerRates['ws']!;
    return {
      id: 'B6',
      work: this.title,
      figures: {
        items_per_second: rate,
        bytes_per_socket: perSocket,
        open_ms: opened,
        ws_loop_per_second: raw,
        socket_io_per_second: peerRates['socket.io']!,
      },
      headline: { name: `items to ${clients} sockets`, value: rate, unit: '/s' },
      limit: { name: 'a loop over raw ws sockets, the same two frames ready-made', value: raw },
      peers: [{ name: 'socket.io', value: peerRates['socket.io']! }],
      ratio: rate / raw,
      floor: 0.05,
      targets: [
        { name: '≥ 0.7 of raw ws', met: rate >= 0.7 * raw },
        { name: '≤ 12 kB a socket', met: perSocket <= 12 * 1_024 },
      ],
    };
  },
};

async function peerRate(kind: 'ws' | 'socket.io', clients: number, rounds: number): Promise<number> {
  const port = await freePort();
  const peer: Peer = await startPeer('socket-server.ts', [kind], { PORT: String(port) });
  const sockets = new Clients();
  await sockets.open({ kind, port, clients, atOnce: AT_ONCE, reconnect: false });
  const rates: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await delay(300);
    const last = sockets.expect(clients);
    await delay(50);
    const startedAt = now();
    peer.child.stdin!.write('one each\n');
    rates.push(clients / (((await last).at - startedAt) / 1_000));
  }
  sockets.close();
  await peer.stop();
  return median(rates);
}

/** Resident bytes of a process. */
export function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1_024;
}
