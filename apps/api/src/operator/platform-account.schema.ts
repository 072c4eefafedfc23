import { z } from 'zod';
import type { ProviderAccount, ProviderAccountFields } from '#database';
import { id } from '../http/schemas.js';
import { accountBody, accountPatch, accountView } from '../provider-accounts/provider-account.schema.js';

const MAX_ENTRIES = 1_000;
const entries = z.array(z.string().min(1).max(320)).max(MAX_ENTRIES).nullable();

const lists = {
  allowed_tenants: z
    .array(id.toLowerCase())
    .max(MAX_ENTRIES)
    .nullable()
    .meta({ description: 'The tenants that may use the account. null: all' }),
  allowed_from: entries.meta({
    description:
      'E-mail: the senders that templates may use, each an address, `@` and a domain, or `*` for any. ' +
      "null: only the account's own sender",
  }),
  allowed_channels: entries.meta({
    description:
      "Chat: the channels that a recipient_address may name, or `*` for any. null: only the account's own channel",
  }),
};
const optionalLists = {
  allowed_tenants: lists.allowed_tenants.optional(),
  allowed_from: lists.allowed_from.optional(),
  allowed_channels: lists.allowed_channels.optional(),
};

export const platformAccountBody = accountBody.extend(optionalLists).meta({ id: 'PlatformProviderAccountBody' });
export const platformAccountPatch = accountPatch.extend(optionalLists).meta({ id: 'PlatformProviderAccountPatch' });
export const platformAccountView = accountView.extend(lists).meta({ id: 'PlatformProviderAccount' });
export type PlatformAccountBody = z.infer<typeof platformAccountBody>;
export type PlatformAccountPatch = z.infer<typeof platformAccountPatch>;

/** The lists of a body, under the names of the store. */
export function toAllowances(body: PlatformAccountPatch): ProviderAccountFields['allowed'] {
  return { tenants: body.allowed_tenants, from: body.allowed_from, channels: body.allowed_channels };
}

export function toAllowancesView({ allowed }: ProviderAccount) {
  return {
    allowed_tenants: allowed.tenants ?? null,
    allowed_from: allowed.from ?? null,
    allowed_channels: allowed.channels ?? null,
  };
}
