// The two parts of a request to send, as the API and stored requests have them: the part of one recipient, and the part
// that all recipients of a bulk send share. The body of a single send is both.

import type { AddressSource } from './channels/define-channel.js';
import { type ChannelId, channelOf } from './channels/registry.js';
import type { FieldError } from './errors.js';

const ADDRESS_NAMES: Partial<Record<ChannelId, string>> = {
  email: 'e-mail address',
  sms: 'phone number',
  push: 'device',
};

/** A profile in the body of a send. Replaces the fields that it has a value for and keeps the others. */
export interface RecipientUpsert {
  id: string;
  email?: string | null | undefined;
  phone?: string | null | undefined;
  locale?: string | null | undefined;
  timezone?: string | null | undefined;
  attributes?: Record<string, unknown> | undefined;
}

export interface RecipientPart {
  recipient_id?: string | undefined;
  recipient?: RecipientUpsert | undefined;
  recipient_address?: string | undefined;
  payload?: Record<string, unknown> | undefined;
}

/** Times are RFC 3339; `scheduled_at_local` is without an offset and not given with `scheduled_at`. */
export interface SharedPart {
  channel?: ChannelId | undefined;
  channels?: ChannelId[] | undefined;
  template_id?: string | undefined;
  content?: Record<string, unknown> | undefined;
  type?: string | undefined;
  category: string;
  priority: number;
  scheduled_at?: string | undefined;
  scheduled_at_local?: string | undefined;
  expires_at?: string | undefined;
  ordering_key?: string | undefined;
  metadata?: Record<string, string> | undefined;
}

export function channelsOf({ channels, channel }: Pick<SharedPart, 'channel' | 'channels'>): ChannelId[] {
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

export function noAddressErrors(item: RecipientPart, channels: ChannelId[]): FieldError[] {
  const id = JSON.stringify(recipientIdOf(item));
  return channels.map((channel) => ({
    pointer: item.recipient ? '/recipient' : '/recipient_id',
    code: 'no_address',
    message: `recipient ${id} has no ${ADDRESS_NAMES[channel] ?? 'address'} for channel ${channel}`,
  }));
}
