// Generates src/generated from the OpenAPI document, and the types of webhook events from the AsyncAPI document.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const read = (path) => readFileSync(new URL(`../../docs/${path}`, import.meta.url), 'utf8');
const document = JSON.parse(read('openapi.json'));
const events = Object.values(parse(read('asyncapi.yaml')).components.messages).filter(isEvent);
const NDJSON = 'application/x-ndjson';

/** Not calls of a tenant's or operator's program: mail clients, providers and browsers make them. */
export const NOT_CALLED = [
  // `@carillon/client/inbox` opens the stream.
  'GET /api/v1/inbox/stream',
  'POST /receipts/{provider}/{account_id}',
  'GET /unsubscribe/{token}',
  'POST /unsubscribe/{token}',
  'GET /preferences/{token}',
  'POST /preferences/{token}',
];

for (const { name, summary, payload } of events) addEvent(name, payload.properties.data, summary);
addEvent('webhook.test', { type: 'object' }, 'Sent by a call of the test route only.');
document.components.schemas.WebhookEvent = {
  oneOf: [...events.map(({ name }) => name), 'webhook.test'].map((type) => ({
    $ref: `#/components/schemas/${nameOf(type)}`,
  })),
};

for (const path of Object.values(document.paths)) for (const operation of Object.values(path)) useBlobs(operation);

export default {
  input: document,
  parser: { filters: { operations: { exclude: NOT_CALLED }, orphans: true } },
  output: { path: new URL('src/generated', import.meta.url).pathname, module: { extension: '.js' } },
  logs: { level: 'error' },
  plugins: [
    { name: '@hey-api/client-fetch', throwOnError: true },
    '@hey-api/typescript',
    {
      name: '@hey-api/sdk',
      responseStyle: 'data',
      // notifications_send becomes the method `send` of the property `notifications`.
      operations: { strategy: 'single', containerName: 'Api', nesting: 'operationId', nestingDelimiters: /_/ },
    },
  ],
};

/** NDJSON is sent and returned as a file: the generator knows no bodies of several lines. */
function useBlobs({ requestBody, responses }) {
  const blob = { type: 'string', format: 'binary' };
  const sent = requestBody?.content[NDJSON];
  if (sent) sent.schema = { anyOf: [{ type: 'string' }, blob] };
  for (const { content } of Object.values(responses)) if (content?.[NDJSON]) content[NDJSON].schema = blob;
}

function isEvent({ payload }) {
  return payload?.properties?.specversion !== undefined;
}

function addEvent(type, data, description) {
  document.components.schemas[nameOf(type)] = {
    type: 'object',
    description,
    required: ['type', 'timestamp', 'data'],
    properties: { type: { const: type }, timestamp: { type: 'string', format: 'date-time' }, data },
  };
}

/** `delivery.sent` is `DeliverySentEvent`. */
function nameOf(type) {
  const words = type.split(/[._]/).map((word) => word[0].toUpperCase() + word.slice(1));
  return `${words.join('')}Event`;
}
