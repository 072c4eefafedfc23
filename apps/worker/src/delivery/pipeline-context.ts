// The context of a delivery after each step. A step takes the type that the one before it returns, so a wrong order
// does not compile.

import type { ClaimedDelivery, ClosedDigest, DeliveryContext } from '#database';
import type { Channel, ChannelId, Includes } from '#domain';
import type { Sender } from '#providers';
import type { SharedPayload } from '#templates';
import type { UnsubscribeLink } from './unsubscribe-links.js';

declare const passed: unique symbol;

export interface Claimed {
  delivery: ClaimedDelivery;
  channel: Channel<ChannelId>;
  [passed]?: 'claim';
}

/** A content before it is rendered. */
export interface LoadedContent {
  content: Record<string, unknown>;
  /** The partials and the layout of a template. */
  includes: Includes | null;
  templateVersion: number | null;
  /** The payload shared by all items of a bulk send; null for a single send. */
  sharedPayload: SharedPayload | null;
}

export interface Loaded extends Claimed, LoadedContent {
  context: DeliveryContext;
  /** One address, several for push, none for in-app. */
  addresses: readonly string[];
  loaded: true;
}

export interface Consented extends Loaded {
  consented: true;
}

export interface Digested extends Consented {
  /** The digest that is sent with this delivery, or null if the delivery is sent as itself. */
  digest: ClosedDigest | null;
}

export interface Limited extends Digested {
  limited: true;
}

export interface Rendered extends Limited {
  /** Null where the recipient cannot unsubscribe by a link. */
  unsubscribe: UnsubscribeLink | null;
  message: Record<string, unknown>;
}

/** With the account to send through, and the addresses that it reaches. */
export interface Addressed extends Rendered {
  sender: Sender;
}
