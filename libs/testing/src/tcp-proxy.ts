import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Carries bytes both ways. */
  pass(): void;
  /** Resets what is open and refuses what comes. */
  reset(): void;
  /** Half-open: what is open stays open and nothing is carried; what comes is taken and not answered. */
  blackhole(): void;
  /**
   * The next message to a PostgreSQL that holds this text is executed there, but its answer does not come back: the
   * connection is reset. Resolves when that has happened.
   */
  loseAnswerTo(text: string): Promise<void>;
  close(): Promise<void>;
}

/** The end of an answer of PostgreSQL: ReadyForQuery, of five bytes; one byte of status follows. */
const READY_FOR_QUERY = Buffer.from('Z\0\0\0\x05', 'latin1');

/** Stands between the product and a server of its own, and misbehaves as networks do. */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  let mode: 'pass' | 'reset' | 'blackhole' = 'pass';
  let lost: { text: string; done: () => void } | undefined;
  const pairs = new Set<[Socket, Socket]>();
  const server = createServer((client) => {
    if (mode === 'reset') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(target);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      pairs.delete(pair);
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    let answerLost: (() => void) | undefined;
    client.on('data', (chunk) => {
      if (mode !== 'pass') return;
      if (lost && chunk.includes(lost.text)) {
        answerLost = lost.done;
        lost = undefined;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (mode !== 'pass') return;
      if (!answerLost) return client.write(chunk);
      // A server that cannot send the beginning of a long answer would not commit.
      if (!chunk.subarray(-1 - READY_FOR_QUERY.length, -1).equals(READY_FOR_QUERY)) return;
      client.resetAndDestroy();
      answerLost();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dropAll = (): void => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    pass: () => {
      // What was half-open has lost bytes: it can only be dropped.
      if (mode === 'blackhole') dropAll();
      mode = 'pass';
    },
    reset: () => {
      mode = 'reset';
      dropAll();
    },
    blackhole: () => {
      mode = 'blackhole';
    },
    loseAnswerTo: (text) =>
      new Promise((done) => {
        lost = { text, done };
      }),
    close: () =>
      new Promise((resolve) => {
        dropAll();
        server.close(() => resolve());
      }),
  };
}
