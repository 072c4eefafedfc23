import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Forwards in both directions. */
  pass(): void;
  /** Resets open and new connections. */
  reset(): void;
  /** Keeps connections open and accepts new ones, but forwards nothing. */
  blackhole(): void;
  /** Forwards requests, and resets the connection instead of forwarding an answer. */
  loseAnswers(): void;
  /**
   * Forwards the next message that contains this text to PostgreSQL, and resets the connection instead of forwarding
   * the complete response. Resolves after the reset.
   */
  loseAnswerTo(text: string): Promise<void>;
  close(): Promise<void>;
}

/** ReadyForQuery, the end of a response of PostgreSQL: five bytes, before one byte of status. */
const READY_FOR_QUERY = Buffer.from('Z\0\0\0\x05', 'latin1');

/** Forwards connections to a server, and simulates network failures. */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  let mode: 'pass' | 'reset' | 'blackhole' | 'lose answers' = 'pass';
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
      if (mode === 'lose answers') upstream.write(chunk);
      if (mode !== 'pass') return;
      if (lost && chunk.includes(lost.text)) {
        answerLost = lost.done;
        lost = undefined;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (mode === 'lose answers') client.resetAndDestroy();
      if (mode !== 'pass') return;
      if (!answerLost) return client.write(chunk);
      // Waits for the end of the response: a server that cannot send the start of a long one does not commit.
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
      // Bytes were dropped, so these connections cannot be used any more.
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
    loseAnswers: () => {
      mode = 'lose answers';
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
