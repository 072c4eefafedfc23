// What the clients of bench/peers/sockets.ts are asked, and what they tell.

export interface OpenOrder {
  kind: 'carillon' | 'ws' | 'socket.io';
  /** Ports, taken in turn. */
  port: number;
  /** A file with one inbox token a line; one client each. */
  tokens?: string;
  clients: number;
  /** Handshakes under way at once. */
  atOnce: number;
  /** Connect again by itself, with the last number seen, to this port. */
  reconnect: boolean;
}

export type Told =
  | { told: 'open'; ms: number }
  | { told: 'items'; count: number; lastAt: number; gaps: number }
  | { told: 'caught up'; at: number };
