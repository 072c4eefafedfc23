// The topics other programs may read and write, as AsyncAPI 3.0: made from the schemas that the code itself uses.

import { z } from 'zod';
import { type EventType, eventTypes } from '#domain';

interface AsyncApiOptions {
  version: string;
  /** The schema of a send, as POST /api/v1/notifications takes it. */
  sendBody: z.ZodType;
}

const TITLES: Record<EventType, string> = {
  'delivery.sent': 'A provider took it; in-app: it is in the inbox.',
  'delivery.delivered': 'A receipt says that it arrived.',
  'delivery.bounced': 'A receipt says that it will never arrive.',
  'delivery.complained': 'The recipient called it spam. A flag, not a state.',
  'delivery.suppressed': 'Not sent on purpose; `reason` says why.',
  'delivery.failed': 'Given up; it is in the dead letters.',
  'delivery.expired': 'It could not be sent before `expires_at`.',
  'delivery.cancelled': 'Cancelled in time.',
  'delivery.unknown': 'The provider may have it, and policy forbids sending again.',
  'notification.finished': 'The last delivery of a notification came to its end.',
  'inbox.item_read': 'A person has read an item of their inbox.',
  'device.removed': 'A push service said that a device is gone; it is not written to any more.',
  'webhook.disabled': 'An endpoint was switched off after a 410 or five days of failures.',
  'suppression.created': 'An address came onto the suppression list.',
};

const problem = {
  type: 'object',
  description: 'What was wrong, as the HTTP API says it (RFC 9457).',
  required: ['request', 'status', 'code', 'detail'],
  properties: {
    request: { type: 'string', description: '`topic:partition:offset` of the request.' },
    status: { type: 'integer', minimum: 400 },
    code: { type: 'string' },
    title: { type: 'string' },
    detail: { type: 'string' },
    errors: { type: 'array', items: { type: 'object' } },
  },
};

const accepted = {
  type: 'object',
  required: ['request', 'status', 'notification_id', 'replayed'],
  properties: {
    request: { type: 'string', description: '`topic:partition:offset` of the request.' },
    status: { const: 202 },
    notification_id: { type: 'string', format: 'uuid' },
    replayed: { type: 'boolean', description: 'The key was used before: this is the notification made then.' },
  },
};

/** The document behind docs/asyncapi.yaml. Topics are written with the default prefix. */
export function asyncApiDocument({ version, sendBody }: AsyncApiOptions): Record<string, unknown> {
  const types = Object.keys(eventTypes) as EventType[];
  const messageOf = (type: EventType): string => type.replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase());
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Carillon events and requests',
      version,
      description:
        'What Carillon writes to Kafka and takes from it when KAFKA_BROKERS is set. Topics begin with KAFKA_PREFIX (`carillon`). Delivery is at least once: an event that comes twice has the same id.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: {
      events: {
        address: 'carillon.events',
        description: 'Every change of state, in order for each recipient: the key is `tenant:recipient`.',
        messages: Object.fromEntries(
          types.map((type) => [messageOf(type), { $ref: `#/components/messages/${messageOf(type)}` }]),
        ),
      },
      requests: {
        address: 'carillon.requests',
        description:
          'Sends without HTTP, taken when KAFKA_INTAKE_ENABLED is true. The tenant is the one of the API key in the header; the idempotency key is the header, the field of the body, or else the key of the message.',
        messages: { send: { $ref: '#/components/messages/send' } },
      },
      results: {
        address: 'carillon.requests.results',
        description: 'What became of each request, under the key of its message.',
        messages: {
          accepted: { $ref: '#/components/messages/accepted' },
          refused: { $ref: '#/components/messages/refused' },
        },
      },
      deadLetters: {
        address: 'carillon.dead-letters',
        description: 'Messages that nobody could read, as they came; headers say why and where they stood.',
        messages: { poison: { $ref: '#/components/messages/poison' } },
      },
    },
    operations: {
      publishEvents: { action: 'send', channel: { $ref: '#/channels/events' } },
      takeRequests: { action: 'receive', channel: { $ref: '#/channels/requests' } },
      publishResults: { action: 'send', channel: { $ref: '#/channels/results' } },
      publishDeadLetters: { action: 'send', channel: { $ref: '#/channels/deadLetters' } },
    },
    components: {
      messages: {
        ...Object.fromEntries(
          types.map((type) => [
            messageOf(type),
            {
              name: type,
              summary: TITLES[type],
              contentType: 'application/cloudevents+json; charset=utf-8',
              payload: cloudEventOf(type),
            },
          ]),
        ),
        send: {
          name: 'send',
          headers: {
            type: 'object',
            required: ['x-api-key'],
            properties: {
              'x-api-key': { type: 'string', description: 'An API key with the scope `notifications:write`.' },
              'idempotency-key': { type: 'string', maxLength: 255 },
              traceparent: { type: 'string', description: 'W3C trace context.' },
            },
          },
          payload: jsonSchemaOf(sendBody),
        },
        accepted: { name: 'accepted', payload: accepted },
        refused: { name: 'refused', payload: problem },
        poison: {
          name: 'poison',
          contentType: 'application/octet-stream',
          headers: {
            type: 'object',
            required: ['carillon-reason', 'carillon-topic', 'carillon-partition', 'carillon-offset'],
            properties: {
              'carillon-reason': { type: 'string' },
              'carillon-topic': { type: 'string' },
              'carillon-partition': { type: 'string' },
              'carillon-offset': { type: 'string' },
            },
          },
        },
      },
    },
  };
}

/** The JSON Schema of a CloudEvent of this type, in structured mode. */
export function cloudEventOf(type: EventType): Record<string, unknown> {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'tenantid', 'data'],
    properties: {
      specversion: { const: '1.0' },
      id: { type: 'string', format: 'uuid' },
      source: { type: 'string', description: '`/tenants/{id}`' },
      type: { const: type },
      subject: { type: 'string', description: 'The id of what it happened to.' },
      time: { type: 'string', format: 'date-time' },
      datacontenttype: { const: 'application/json' },
      tenantid: { type: 'string', format: 'uuid' },
      data: jsonSchemaOf(eventTypes[type]),
    },
  };
}

/**
 * Draft 7, which AsyncAPI's own schema objects build on; references are written out, so that each payload stands alone.
 */
function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _draft, ...json } = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
  }) as Record<string, unknown>;
  return inlined(json, (json['definitions'] ?? {}) as Record<string, unknown>) as Record<string, unknown>;
}

function inlined(value: unknown, definitions: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => inlined(item, definitions));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref: reference, ...rest } = value as Record<string, unknown>;
  if (typeof reference === 'string')
    return inlined({ ...(definitions[reference.replace('#/definitions/', '')] as object), ...rest }, definitions);
  return Object.fromEntries(
    Object.entries(rest)
      .filter(([key, item]) => key !== 'definitions' && !(key === 'id' && typeof item === 'string'))
      .map(([key, item]) => [key, inlined(item, definitions)]),
  );
}
