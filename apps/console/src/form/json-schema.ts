/** The parts of JSON Schema that forms know. Payload schemas of templates and credentials of providers are such. */
export interface JsonSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  examples?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  /** Of credentials: masked in answers. */
  secret?: boolean;
}

export type FieldType = 'text' | 'number' | 'boolean' | 'choice' | 'object' | 'json';

export function fieldTypeOf(schema: JsonSchema): FieldType {
  if (schema.enum) return 'choice';
  switch (typeOf(schema)) {
    case 'string':
      return 'text';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'object':
      return schema.properties ? 'object' : 'json';
    default:
      return 'json';
  }
}

function typeOf({ type, properties }: JsonSchema): string | undefined {
  if (properties) return 'object';
  return typeof type === 'string' ? type : type?.find((one) => one !== 'null');
}

/** A value that fits, to begin with: the example, the default, or something of the type. */
export function sampleOf(schema: JsonSchema, name = 'value'): unknown {
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  switch (typeOf(schema)) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([property, inner]) => [property, sampleOf(inner, property)]),
      );
    case 'array':
      return schema.items ? [sampleOf(schema.items, name)] : [];
    case 'number':
    case 'integer':
      return Math.max(schema.minimum ?? 1, 1);
    case 'boolean':
      return true;
    default:
      return sampleText(schema, name);
  }
}

function sampleText({ format }: JsonSchema, name: string): string {
  switch (format) {
    case 'date':
      return '2026-12-24';
    case 'date-time':
      return '2026-12-24T18:00:00Z';
    case 'email':
      return 'ann@example.com';
    case 'uri':
      return 'https://example.com';
    case 'uuid':
      return '01900000-0000-7000-8000-000000000000';
    default:
      return name;
  }
}
