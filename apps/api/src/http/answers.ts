import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '#domain';
import { problem } from './schemas.js';

interface Answers {
  summary: string;
  status: 200 | 201 | 202 | 204;
  schema?: z.ZodType;
  /** Beside those that every route has. */
  errors?: ErrorCode[];
}

/** What a route answers, for the OpenAPI document. */
export function Answers({ summary, status, schema, errors = [] }: Answers): MethodDecorator {
  const byStatus = Map.groupBy(errors, (code) => errorCatalogue[code].status);
  return applyDecorators(
    ApiOperation({ summary }),
    ApiResponse(schema ? { status, description: 'Done', schema: reference(schema) } : { status, description: 'Done' }),
    ...[...byStatus].map(([errorStatus, codes]) =>
      ApiResponse({
        status: errorStatus,
        description: codes.join(', '),
        content: { 'application/problem+json': { schema: reference(problem) } },
      }),
    ),
  );
}

/** A named schema by its name, any other in place; names inside are references to the components. */
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
