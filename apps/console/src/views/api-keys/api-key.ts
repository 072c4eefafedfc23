import type { ApiKeysListResponse } from '#client';

export type ApiKey = ApiKeysListResponse['data'][number];
