import type { UseQueryResult } from '@tanstack/react-query';
import type {
  Carillon,
  PlatformProviderAccount,
  PlatformProviderAccountBody,
  PlatformProviderAccountPatch,
  Provider,
  ProviderAccount,
  Verification,
} from '#client';
import { useRead, useViewContext } from '../../api/view-context';

/** The lists are those of an account of the platform. */
export type Account = ProviderAccount & Partial<PlatformProviderAccount>;
export type AccountBody = PlatformProviderAccountBody;
export type AccountPatch = PlatformProviderAccountPatch;

/** Accounts of a tenant, or of the platform. */
export interface AccountRoutes {
  list(signal?: AbortSignal): Promise<Account[]>;
  get(id: string, signal?: AbortSignal): Promise<Account>;
  create(body: AccountBody): Promise<Account>;
  update(id: string, body: AccountPatch): Promise<Account>;
  remove(id: string): Promise<unknown>;
  verify(id: string): Promise<Verification>;
  providers(signal?: AbortSignal): Promise<Provider[]>;
}

export function accountRoutes(carillon: Carillon, isPlatform: boolean): AccountRoutes {
  const routes = isPlatform ? carillon.platformProviderAccounts : carillon.providerAccounts;
  return {
    list: async (signal) => (await routes.list({ query: { limit: 200 }, ...(signal && { signal }) })).data,
    get: (id, signal) => routes.get({ path: { id }, ...(signal && { signal }) }),
    create: (body) => routes.create({ body }),
    update: (id, body) => routes.update({ path: { id }, body }),
    remove: (id) => routes.delete({ path: { id } }),
    verify: (id) => routes.verify({ path: { id } }),
    providers: async (signal) => (await routes.providers({ ...(signal && { signal }) })).data,
  };
}

export function useProviders(): UseQueryResult<Provider[]> {
  const { isPlatform } = useViewContext();
  return useRead(['providers'], (carillon, signal) => accountRoutes(carillon, isPlatform).providers(signal));
}
