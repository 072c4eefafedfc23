// Describes the topics that other programs may read and write as AsyncAPI 3.0, from the schemas that the code uses.

import { z } from 'zod';
import { type EventType, eventTypes } from '#domain';

interface AsyncApiOptions {
  version: string;
  /** The schema of the body of POST /api/v1/notifications. */
  sendBody: z.ZodType;
}

const TITLES: Record<EventType, string> = {
  'delivery.sent': 'A provider accepted it; in-app: it is in the inbox.',
  'delivery.delivered': 'A receipt reports that it arrived.',
  'delivery.bounced': 'A receipt reports that it will never arrive.',
  'delivery.complained': 'The recipient reported it as spam. A flag, not a state.',
  'delivery.suppressed': 'Deliberately not sent; `reason` says why.',
  'delivery.failed': 'Not sent; it is in the dead letters.',
  'delivery.expired': 'It could not be sent before `expires_at`.',
  'delivery.cancelled': 'Cancelled before it was sent.',
  'delivery.unknown': 'The provider may have accepted it, and the policy forbids sending it again.',
  'notification.finished': 'The last delivery of a notification is final.',
  'inbox.item_read': 'A recipient has read an item of their inbox.',
  'device.removed': 'A push service reported that a device no longer exists. Nothing more is sent to it.',
  'webhook.disabled': 'An endpoint was disabled after a 410 or five days of failures.',
  'quota.warning': 'The tenant has used 80 or 100 percent of its deliveries of a day or month.',
  'suppression.created': 'An address was added to the suppression list.',
};

const problem = {
  type: 'object',
  description: 'The error, in the format of the HTTP API (RFC 9457).',
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
    replayed: {
      type: 'boolean',
      description: 'The idempotency key was used before, and this is the notification created then.',
    },
  },
};

/** The content of docs/asyncapi.yaml. Topics have the default prefix. */
export function asyncApiDocument({ version, sendBody }: AsyncApiOptions): Record<string, unknown> {
  const types = Object.keys(eventTypes) as EventType[];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Carillon events and requests',
      version,
      description:
        'Messages that Carillon publishes to Kafka and reads from it when KAFKA_BROKERS is set. Topic names ' +
        'start with KAFKA_PREFIX (`carillon`). Delivery is at least once: an event that is published twice has the ' +
        'same id.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    channels: channelsOf(types),
    operations: {
      publishEvents: { action: 'send', channel: { $ref: '#/channels/events' } },
      takeRequests: { action: 'receive', channel: { $ref: '#/channels/requests' } },
      publishResults: { action: 'send', channel: { $ref: '#/channels/results' } },
      publishDeadLetters: { action: 'send', channel: { $ref: '#/channels/deadLetters' } },
    },
    components: { messages: messagesOf(types, sendBody) },
  };
}

/** The key of the message of an event: `deliverySent` for `delivery.sent`. */
function messageKeyOf(type: EventType): string {
  return type.replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase());
}

function channelsOf(types: readonly EventType[]): Record<string, unknown> {
  return {
    events: {
      address: 'carillon.events',
      description: 'Every change of state, in order for each recipient. The key is `tenant:recipient`.',
      messages: Object.fromEntries(
        types.map((type) => [messageKeyOf(type), { $ref: `#/components/messages/${messageKeyOf(type)}` }]),
      ),
    },
    requests: {
      address: 'carillon.requests',
      description:
        'Sends without HTTP, accepted when KAFKA_INTAKE_ENABLED is true. The tenant is the one of the API key in ' +
        'the header; the idempotency key is the header, the field of the body, or else the key of the message.',
      messages: { send: { $ref: '#/components/messages/send' } },
    },
    results: {
      address: 'carillon.requests.results',
      description: 'The result of each request, with the key of its message.',
      messages: {
        accepted: { $ref: '#/components/messages/accepted' },
        refused: { $ref: '#/components/messages/refused' },
      },
    },
    deadLetters: {
      address: 'carillon.dead-letters',
      description:
        'Messages that could not be processed, unchanged. Headers contain the reason and the original position.',
      messages: { poison: { $ref: '#/components/messages/poison' } },
    },
  };
}

function messagesOf(types: readonly EventType[], sendBody: AsyncApiOptions['sendBody']): Record<string, unknown> {
  return {
    ...Object.fromEntries(
      types.map((type) => [
        messageKeyOf(type),
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
      subject: { type: 'string', description: 'The id of the changed object.' },
      time: { type: 'string', format: 'date-time' },
      datacontenttype: { const: 'application/json' },
      tenantid: { type: 'string', format: 'uuid' },
      data: jsonSchemaOf(eventTypes[type]),
    },
  };
}

/**
 * Draft 7, the basis of AsyncAPI's schema objects. References are inlined, so that each payload is self-contained.
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
