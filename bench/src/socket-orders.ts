// Messages to and from the clients of bench/peers/sockets.ts.

export interface OpenOrder {
  kind: 'carillon' | 'ws' | 'socket.io';
  /** Ports, used round-robin. */
  port: number;
  /** A file with one inbox token per line, one for each client. */
  tokens?: string;
  clients: number;
  /** Concurrent handshakes. */
  atOnce: number;
  /** If set, clients reconnect to this port with the last `seq` that they have seen. */
  reconnect: boolean;
}

export type Told =
  | { told: 'open'; ms: number }
  | { told: 'items'; count: number; lastAt: number; gaps: number }
  | { told: 'caught up'; at: number };
