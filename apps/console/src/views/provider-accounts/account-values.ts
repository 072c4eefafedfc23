import type { Provider } from '#client';
import type { JsonSchema } from '../../form/json-schema';
import type { Account, AccountBody, AccountPatch } from './account-routes';

export interface AccountForm {
  name: string;
  /** Stored secrets are left out until they are entered again. */
  credentials: Record<string, unknown>;
  pace: number | null;
  enabled: boolean;
  /** Of an account of the platform; an empty list is null in the API. */
  allowed: { tenants: string[]; from: string[]; channels: string[] };
}

export function newForm(provider: Provider): AccountForm {
  return {
    name: provider.name,
    credentials: {},
    pace: null,
    enabled: true,
    allowed: { tenants: [], from: [], channels: [] },
  };
}

export function formOf(account: Account, provider: Provider): AccountForm {
  const secrets = secretsOf(provider);
  return {
    name: account.name,
    credentials: Object.fromEntries(Object.entries(account.credentials).filter(([name]) => !secrets.has(name))),
    pace: account.pace_per_second,
    enabled: account.enabled,
    allowed: {
      tenants: account.allowed_tenants ?? [],
      from: account.allowed_from ?? [],
      channels: account.allowed_channels ?? [],
    },
  };
}

export function hasChanged(before: AccountForm, after: AccountForm): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}

export function bodyOf(provider: Provider, channel: string, form: AccountForm, isPlatform: boolean): AccountBody {
  return {
    name: form.name.trim(),
    provider: provider.id,
    channel: channel as Account['channel'],
    credentials: form.credentials,
    enabled: form.enabled,
    pace_per_second: form.pace,
    ...(isPlatform && listsOf(form)),
  };
}

/** Credentials only if one of them changed. Secrets that were not entered again go back as they are shown: kept. */
export function patchOf(account: Account, provider: Provider, form: AccountForm, isPlatform: boolean): AccountPatch {
  const before = formOf(account, provider);
  const isChanged = JSON.stringify(before.credentials) !== JSON.stringify(form.credentials);
  const secrets = Object.entries(account.credentials).filter(([name]) => secretsOf(provider).has(name));
  return {
    name: form.name.trim(),
    enabled: form.enabled,
    pace_per_second: form.pace,
    ...(isChanged && { credentials: { ...Object.fromEntries(secrets), ...entered(form.credentials) } }),
    ...(isPlatform && listsOf(form)),
  };
}

function entered(credentials: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== undefined));
}

function listsOf({
  allowed,
}: AccountForm): Pick<AccountPatch, 'allowed_tenants' | 'allowed_from' | 'allowed_channels'> {
  const orNull = (entries: string[]): string[] | null => (entries.length > 0 ? entries : null);
  return {
    allowed_tenants: orNull(allowed.tenants),
    allowed_from: orNull(allowed.from),
    allowed_channels: orNull(allowed.channels),
  };
}

function secretsOf({ credentials }: Provider): ReadonlySet<string> {
  const { properties = {} } = credentials as JsonSchema;
  return new Set(Object.keys(properties).filter((name) => properties[name]!.secret));
}
