import type { TenantsGetResponse } from '#client';

export type OneTenant = TenantsGetResponse;
