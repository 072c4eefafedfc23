import { hash } from 'node:crypto';
import type { Cap, CategoryPreference, QuietHours } from '#domain';

export interface Recipient {
  id: string;
  email: string | null;
  phone: string | null;
  locale: string | null;
  timezone: string | null;
  attributes: Record<string, unknown>;
  createdAt: Date;
  updatedAt: Date;
}

export type RecipientFields = Pick<Recipient, 'email' | 'phone' | 'locale' | 'timezone' | 'attributes'>;

export interface Device {
  token: string;
  platform: 'ios' | 'android' | 'web';
  createdAt: Date;
  lastSeenAt: Date;
}

/** The choices of a recipient by channel and by category. The category's default applies where there is none. */
export interface Preferences {
  channels: Record<string, boolean>;
  categories: Record<string, CategoryPreference>;
  /** Null for the hours of the tenant. */
  quietHours: QuietHours | null;
  caps: Cap[];
}

export interface RecipientAddresses {
  email: string | null;
  phone: string | null;
  locale: string | null;
  devices: { token: string }[];
}

export function toRecipient(row: Omit<Recipient, 'attributes'> & { attributes: unknown; tenantId: string }): Recipient {
  const { tenantId: _tenant, ...recipient } = row;
  return { ...recipient, attributes: row.attributes as Record<string, unknown> };
}

export function toDevice(row: { token: string; platform: string; createdAt: Date; lastSeenAt: Date }): Device {
  return {
    token: row.token,
    platform: row.platform as Device['platform'],
    createdAt: row.createdAt,
    lastSeenAt: row.lastSeenAt,
  };
}

export interface PreferenceRow {
  channels: unknown;
  categories: unknown;
  quietHours: unknown;
  caps: unknown;
}

/** The API checks the shapes before they are stored. */
export function toPreferences(row: PreferenceRow | null): Preferences {
  const none = { channels: {}, categories: {}, quietHours: null, caps: [] };
  return row ? ({ ...none, ...row } as Preferences) : none;
}

/**
 * Names a recipient without the id, which may be an address of the person, in rows that outlive an erasure. The hash
 * contains the tenant, so that a person has another one at each tenant.
 */
export function recipientHash(tenantId: string, recipientId: string): string {
  return hash('sha256', `${tenantId} ${recipientId}`, 'hex');
}
