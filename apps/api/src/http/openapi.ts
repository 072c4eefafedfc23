import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
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
  return document;
}
