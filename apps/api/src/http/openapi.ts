import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '#domain';
import { version } from '../version.js';

/** Builds the OpenAPI 3.1 document from the zod schemas that validate the requests. */
export function openApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Carillon')
    .setDescription(
      'Self-hosted, multi-tenant notification platform. Errors are application/problem+json; ' +
        'docs/errors.md explains every code.',
    )
    .setVersion(version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-API-Key' }, 'tenant')
    .addApiKey({ type: 'apiKey', in: 'header', name: 'X-Admin-Token' }, 'operator')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, 'recipient')
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    operationIdFactory: (controller, method) => `${controller.replace(/Controller$/, '')}_${method}`,
  });
  const named = z.toJSONSchema(z.globalRegistry, {
    uri: (id) => `#/components/schemas/${id}`,
    io: 'output',
    unrepresentable: 'any',
  }).schemas;
  const components = Object.fromEntries(
    Object.entries(named).map(([id, schema]) => {
      const { $schema: _dialect, $id: _id, ...rest } = schema as Record<string, unknown>;
      return [id, rest];
    }),
  );
  document.components = {
    ...document.components,
    schemas: {
      ...(components as NonNullable<OpenAPIObject['components']>['schemas']),
      ...document.components?.schemas,
    },
  };
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const isIdempotent = method === 'post' && path.startsWith('/api/') && !WITHOUT_KEY.has(path);
      // Requests with a recipient token have no idempotency key.
      const isRecipientRoute = (operation.security ?? []).some((rule) => 'recipient' in rule);
      if (isIdempotent && !isRecipientRoute) operation.parameters = [...(operation.parameters ?? []), IDEMPOTENCY_KEY];
      addErrors(operation, errorsOfEvery(operation, isIdempotent));
      if ((operation.parameters ?? []).length > 0) operation.responses[431] = TOO_LARGE_HEADERS;
      allowMissingBody(operation, document);
    }
  }
  return document;
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Parameter = NonNullable<Operation['parameters']>[number];

const METHODS = ['get', 'put', 'post', 'patch', 'delete'] as const;
/** These POSTs store nothing, so they ignore an Idempotency-Key. */
const WITHOUT_KEY = new Set(['/api/v1/notifications/explain', '/api/v1/recipients/{id}/preferences-link']);
const IDEMPOTENCY_KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key and body get the first answer again. With an API key only',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

/** Node answers before there is a request. */
const TOO_LARGE_HEADERS = { description: 'Path and headers have more than 16 kB. The answer has no body' };

/** The errors that follow from how every request is authorized, parsed and validated. */
function errorsOfEvery(operation: Operation, isIdempotent: boolean): ErrorCode[] {
  const isSecured = (operation.security ?? []).length > 0;
  const hasParameters = (operation.parameters ?? []).length > 0;
  const hasBody = operation.requestBody !== undefined;
  return [
    ...(isSecured ? (['unauthenticated', 'forbidden', 'rate_limited'] as const) : []),
    ...(hasParameters || hasBody ? (['malformed_json', 'validation_failed'] as const) : []),
    ...(hasBody ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...(isIdempotent ? (['idempotency_in_flight', 'idempotency_unknown', 'idempotency_mismatch'] as const) : []),
    ...(isSecured || hasParameters ? (['unavailable'] as const) : []),
  ];
}

/** A missing body is the same as an empty object, where all fields are optional and an empty object is valid. */
function allowMissingBody({ requestBody }: Operation, document: OpenAPIObject): void {
  if (!requestBody || '$ref' in requestBody) return;
  const reference = requestBody.content['application/json']?.schema;
  const name = reference && '$ref' in reference ? reference.$ref.replace('#/components/schemas/', '') : '';
  const schema = document.components?.schemas?.[name];
  if (!schema || !('type' in schema)) return;
  if ((schema.required ?? []).length === 0 && !schema.minProperties) requestBody.required = false;
}

/** Adds the codes to the problems that are documented already. */
function addErrors(operation: Operation, codes: readonly ErrorCode[]): void {
  for (const code of codes) {
    const { status } = errorCatalogue[code];
    const known = operation.responses[status] as { description: string; content?: object } | undefined;
    if (!known) {
      const schema = { $ref: '#/components/schemas/Problem' };
      operation.responses[status] = { description: code, content: { 'application/problem+json': { schema } } };
    } else if (!known.description.split(', ').includes(code)) known.description += `, ${code}`;
  }
}
