import type { EventType } from '#domain';

export interface WebhookEndpoint {
  id: string;
  url: string;
  events: (EventType | '*')[];
  description: string | null;
  /** Sends one event at a time for each recipient. */
  ordered: boolean;
  enabled: boolean;
  /** The reason for which Carillon disabled it; null if a person did. */
  disabledReason: 'gone' | 'failing' | null;
  /** The time of the first failure since the last success; null after a success. */
  failingSince: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export type WebhookEndpointFields = Pick<WebhookEndpoint, 'url' | 'events' | 'description' | 'ordered' | 'enabled'>;

/** An enabled endpoint and its events, for the fan-out. */
export interface ListeningEndpoint {
  tenantId: string;
  id: string;
  events: (EventType | '*')[];
  ordered: boolean;
}

/** An endpoint with its signing secrets in plain text. */
export interface OpenEndpoint {
  tenantId: string;
  id: string;
  url: string;
  secret: string;
  oldSecret: string | null;
  updatedAt: Date;
}

export interface EndpointRow {
  id: string;
  url: string;
  events: string[];
  description: string | null;
  ordered: boolean;
  enabled: boolean;
  disabled_reason: WebhookEndpoint['disabledReason'];
  failing_since: Date | null;
  created_at: Date;
  updated_at: Date;
}

export function toEndpoint(row: EndpointRow): WebhookEndpoint {
  return {
    id: row.id,
    url: row.url,
    events: row.events as WebhookEndpoint['events'],
    description: row.description,
    ordered: row.ordered,
    enabled: row.enabled,
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
