// What is known of a delivery after each step. A step takes what the one before it gives, so a wrong order does not compile.

import type { ClaimedDelivery, DeliveryContext } from '#database';
import type { Channel, ChannelId } from '#domain';
import type { Sender } from '#providers';
import type { SharedPayload } from '#templates';
import type { UnsubscribeLink } from './unsubscribe-links.js';

declare const passed: unique symbol;

export interface Claimed {
  delivery: ClaimedDelivery;
  channel: Channel<ChannelId>;
  [passed]?: 'claim';
}

export interface Loaded extends Claimed {
  context: DeliveryContext;
  /** Where it goes: one address, several for push, none for in-app. */
  addresses: readonly string[];
  content: Record<string, unknown>;
  templateVersion: number | null;
  /** The payload shared by all items of a bulk send; null for a single send. */
  sharedPayload: SharedPayload | null;
  loaded: true;
}

export interface Consented extends Loaded {
  consented: true;
}

export interface Limited extends Consented {
  limited: true;
}

export interface Rendered extends Limited {
  /** Where a click ends the category, where that is possible. */
  unsubscribe: UnsubscribeLink | null;
  message: Record<string, unknown>;
}

/** Who is asked, and with what. */
export interface Addressed extends Rendered {
  sender: Sender;
}
