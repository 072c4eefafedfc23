import { type ArgumentMetadata, Injectable, type PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { DomainError, type FieldError } from '#domain';

/** Validates a parameter against its zod schema: `@Body({ schema })`, `@Query({ schema })`, `@Param({ schema })`. */
@Injectable()
export class RequestSchemaPipe implements PipeTransform {
  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    const schema = metadata.schema as z.ZodType | undefined;
    if (!schema) return value;
    // A missing body is an empty object; null is a body.
    const result = schema.safeParse(value === undefined ? {} : value);
    if (result.success) return result.data;
    throw validationFailed(fieldErrorsOf(result.error.issues, value, metadata.type === 'query' ? '?' : '/'));
  }
}

export function validationFailed(errors: FieldError[]): DomainError {
  // When all errors have one of these codes, it is also the code of the problem: callers need not read `errors`.
  const codes = new Set(errors.map(({ code }) => code));
  const [only] = codes;
  const named =
    codes.size === 1 && (only === 'no_address' || only === 'unknown_template' || only === 'render_error')
      ? only
      : 'validation_failed';
  return new DomainError(named, errors.length === 1 ? errors[0]!.message : `The request has ${errors.length} errors.`, {
    errors,
  });
}

/** Converts zod issues to field errors: a pointer to the field, and a message with the value it has. */
export function fieldErrorsOf(issues: readonly z.core.$ZodIssue[], value: unknown, root = '/'): FieldError[] {
  return issues.flatMap((issue) => {
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
    return [
      {
        pointer: pointerOf(path, root),
        code,
        message: given === undefined ? missing(issue) : `${issue.message}, got ${excerpt(given)}`,
      },
    ];
  });
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
