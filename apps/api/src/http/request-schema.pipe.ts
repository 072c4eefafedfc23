import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { type FieldError, validationFailed, validationMessage } from '#domain';

/** Validates a parameter against its zod schema: `@Body({ schema })`, `@Query({ schema })`, `@Param({ schema })`. */
@Injectable()
export class RequestSchemaPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const schema = metadata.schema as z.ZodType | undefined;
    if (!schema) return value;
    // A missing body is an empty object; null is a body.
    const root = metadata.type === 'query' ? '?' : '/';
    const { data, errors } = validate(schema, value === undefined ? {} : value, { root });
    if (errors) throw validationFailed(errors);
    return data;
  }
}

interface ValidateOptions {
  /** `?` for a query. */
  root?: '/' | '?';
  /** Leaves the values out of the messages. */
  isSecret?: boolean;
}

/** Returns the parsed value, or all errors, each with the value of its field. */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  options: ValidateOptions = {},
): { data: z.output<Schema>; errors?: never } | { data?: never; errors: FieldError[] } {
  const { data, error } = schema.safeParse(value, { error: validationMessage });
  return error ? { errors: fieldErrorsOf(error.issues, value, options) } : { data: data as z.output<Schema> };
}

/** Converts zod issues to field errors: a pointer to the field, and a message with the value it has. */
function fieldErrorsOf(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  { root = '/', isSecret = false }: ValidateOptions,
): FieldError[] {
  return onePerCause(issues).flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: pointerOf([...path, key], root),
        code: 'unknown_field',
        message: `there is no field ${JSON.stringify(key)}`,
      }));
    }
    const given = path.reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
      value,
    );
    const code =
      given === undefined
        ? 'required'
        : issue.code === 'custom'
          ? String(issue.params?.['code'] ?? 'invalid')
          : issue.code;
    const pointer = pointerOf(path, root);
    if (given === undefined) return [{ pointer, code, message: missing(issue) }];
    const shown = issue.code === 'invalid_key' ? path.at(-1) : given;
    return [{ pointer, code, message: isSecret ? issue.message : withValue(issue.message, shown) }];
  });
}

/**
 * Leaves out repeated errors of a field: a value that fails one of zod's checks fails others for the same reason, such
 * as an empty text a pattern. Refinements check different things, so all of them stay.
 */
function onePerCause(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  const seen = new Set<string>();
  return issues.filter((issue) => {
    const isOwn = issue.code === 'custom' || issue.code === 'unrecognized_keys';
    const causes = [JSON.stringify([issue.path, issue.message]), ...(isOwn ? [] : [JSON.stringify(issue.path)])];
    const isRepeated = causes.some((cause) => seen.has(cause));
    for (const cause of causes) seen.add(cause);
    return !isRepeated;
  });
}

/** Adds the value that the field has to a message. Messages of schemas have no values. */
export function withValue(message: string, value: unknown): string {
  return `${message}, got ${excerpt(value)}`;
}

function missing(issue: z.core.$ZodIssue): string {
  return issue.code === 'custom' ? issue.message : 'is required';
}

/** Returns an RFC 6901 pointer for a body, `?name` for a query. */
export function pointerOf(path: readonly (string | number)[], root: string): string {
  if (root === '?') return `?${path.join('.')}`;
  return `/${path.map((key) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
