import type { ChannelId } from '#domain';
import { changedFields } from '../change.js';
import { mergePatch } from '../merge-patch.js';

/**
 * The tenants that may use a platform account, and the senders and chat channels that their messages may choose.
 * Without `tenants`: all tenants. Without `from` or `channels`: only the account's own sender or chat channel.
 */
export interface AccountAllowances {
  tenants?: string[];
  from?: string[];
  channels?: string[];
}

export interface ProviderAccount {
  id: string;
  name: string;
  provider: string;
  channel: ChannelId;
  /** With masked secrets, for display. */
  credentials: Record<string, unknown>;
  order: number;
  enabled: boolean;
  /** Sends per second over all workers; null for the provider's default. */
  pacePerSecond: number | null;
  allowed: AccountAllowances;
  health: AccountHealth | null;
  createdAt: Date;
  updatedAt: Date;
}

/** The last change of an account's breaker that a worker recorded; null for an account that has never failed. */
export interface AccountHealth {
  breaker: 'closed' | 'half_open' | 'open';
  code: string | null;
  detail: string | null;
  since: Date;
}

export interface ProviderAccountFields {
  name: string;
  provider: string;
  channel: ChannelId;
  /** In plain text. The store seals them, and only its methods `opened`, `openedById` and `openAll` open them. */
  credentials: Record<string, unknown>;
  masked: Record<string, unknown>;
  order: number;
  enabled: boolean;
  pacePerSecond: number | null;
  /** A change merges these lists; null removes one. */
  allowed: { [List in keyof AccountAllowances]: string[] | null | undefined };
}

/** An account with its credentials in plain text, for sending, verifying and receipts. */
export interface OpenAccount {
  tenantId: string;
  id: string;
  name: string;
  provider: string;
  channel: ChannelId;
  credentials: Record<string, unknown>;
  pacePerSecond: number | null;
  allowed: AccountAllowances;
  /** The state of its breaker that a worker recorded last. */
  breaker: AccountHealth['breaker'];
  /** Changes with the credentials, so that connections with the old ones are closed. */
  updatedAt: Date;
}

/** Merges lists into those of an account; null removes one. */
export function mergeAllowances(
  before: AccountAllowances,
  change: ProviderAccountFields['allowed'] | undefined,
): AccountAllowances {
  return mergePatch(before, changedFields(change ?? {})) as AccountAllowances;
}

/** Prisma's `include` for the health of an account. */
export const HEALTH = { health: { select: { breaker: true, code: true, detail: true, since: true } } } as const;

export function toAccount(row: {
  id: string;
  name: string;
  provider: string;
  channel: string;
  credentialsMasked: unknown;
  position: number;
  enabled: boolean;
  pacePerSecond: number | null;
  allowed: unknown;
  health: { breaker: string; code: string | null; detail: string | null; since: Date } | null;
  createdAt: Date;
  updatedAt: Date;
}): ProviderAccount {
  return {
    id: row.id,
    name: row.name,
    provider: row.provider,
    channel: row.channel as ChannelId,
    credentials: row.credentialsMasked as Record<string, unknown>,
    order: row.position,
    enabled: row.enabled,
    pacePerSecond: row.pacePerSecond,
    allowed: row.allowed as AccountAllowances,
    health: row.health && { ...row.health, breaker: row.health.breaker as AccountHealth['breaker'] },
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
