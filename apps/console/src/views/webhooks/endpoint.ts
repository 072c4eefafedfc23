import type { WebhooksGetResponse } from '#client';

export type Endpoint = WebhooksGetResponse;
