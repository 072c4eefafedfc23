import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '#domain';
import { problem } from './schemas.js';

interface Answers {
  summary: string;
  status: 200 | 201 | 202 | 204 | 303;
  /** Default: the controller's and the method's name. */
  operationId?: string;
  schema?: z.ZodType;
  /** For a PUT that answers 201 with the same schema when it creates. */
  creates?: boolean;
  /** Of a 200 that only says what the request would do. */
  dryRun?: z.ZodType;
  /** Of the response with `schema`. Default: application/json. */
  contentType?: string;
  /** In addition to the errors of every route. */
  errors?: ErrorCode[];
}

/** Describes the responses of a route in the OpenAPI document. */
export function Answers(answers: Answers): MethodDecorator {
  const {
    summary,
    status,
    operationId,
    schema,
    contentType = 'application/json',
    creates,
    dryRun,
    errors = [],
  } = answers;
  const byStatus = Map.groupBy(errors, (code) => errorCatalogue[code].status);
  return applyDecorators(
    ApiOperation({ summary, ...(operationId && { operationId }) }),
    ApiResponse({
      status,
      description: 'Done',
      ...(schema && { content: { [contentType]: { schema: reference(schema) } } }),
    }),
    ...(creates && schema ? [ApiResponse({ status: 201, description: 'Created', schema: reference(schema) })] : []),
    ...(dryRun ? [ApiResponse({ status: 200, description: 'A dry run', schema: reference(dryRun) })] : []),
    ...[...byStatus].map(([errorStatus, codes]) =>
      ApiResponse({
        status: errorStatus,
        description: codes.join(', '),
        content: { 'application/problem+json': { schema: reference(problem) } },
      }),
    ),
  );
}

/** Refers to a named schema by name and inlines any other; named schemas inside become references to the components. */
function reference(schema: z.ZodType): Record<string, never> {
  const name = schema.meta()?.id;
  if (name) return { $ref: `#/components/schemas/${name}` } as unknown as Record<string, never>;
  const {
    $schema: _schema,
    $defs: _defs,
    ...json
  } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }) as Record<string, unknown>;
  return JSON.parse(JSON.stringify(json).replaceAll('#/$defs/', '#/components/schemas/')) as Record<string, never>;
}
