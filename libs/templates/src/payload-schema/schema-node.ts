import type { SafePattern } from './safe-pattern.ts';

/** A schema with listed keywords only and without references. */
export type SchemaNode = boolean | ReadKeywords;

export interface ReadKeywords {
  /** Keywords, names and values of this schema, without the schemas in it. */
  weight: number;
  type?: string[];
  enum?: unknown[];
  /** The value of `const` as the only item. */
  constant?: [unknown];
  minLength?: number;
  maxLength?: number;
  pattern?: SafePattern;
  format?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  prefixItems?: SchemaNode[];
  items?: SchemaNode;
  required?: string[];
  properties?: ReadonlyMap<string, SchemaNode>;
  additionalProperties?: SchemaNode;
  propertyNames?: SchemaNode;
  minProperties?: number;
  maxProperties?: number;
  allOf?: SchemaNode[];
  anyOf?: SchemaNode[];
  oneOf?: SchemaNode[];
  not?: SchemaNode;
  if?: SchemaNode;
  /** Not `then`: an object with this property looks like a promise. */
  whenTrue?: SchemaNode;
  whenFalse?: SchemaNode;
}
