// The two parts of a send request: the part of one recipient, and the part that all recipients of a bulk send share.
// The body of a single send is both.

import { type AddressSource, type ChannelId, channelOf } from '#domain';
import type { BulkBody, SendBody } from './notification.schema.js';

export type RecipientPart = Pick<SendBody, 'recipient_id' | 'recipient' | 'recipient_address' | 'payload'>;
export type SharedPart = Omit<BulkBody, 'recipients' | 'payload'>;

export function channelsOf({ channels, channel }: SharedPart): ChannelId[] {
  return channels ?? [channel!];
}

export function recipientIdOf({ recipient, recipient_id: id }: RecipientPart): string {
  return recipient?.id ?? id!;
}

/** Which part of the stored profile has the address of the delivery, or null when the request has the address. */
export function addressNeeded(channel: ChannelId, item: RecipientPart): AddressSource | null {
  const { addressFrom, addressesOf } = channelOf(channel);
  if (addressFrom === null || item.recipient_address !== undefined) return null;
  const given = { email: item.recipient?.email ?? null, phone: item.recipient?.phone ?? null, devices: [] };
  return addressesOf(given).length > 0 ? null : addressFrom;
}
