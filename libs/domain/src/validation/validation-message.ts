import { z } from 'zod';

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  nan: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

const FORMATS: Readonly<Record<string, string>> = {
  email: 'an e-mail address',
  url: 'a URL',
  uuid: 'a UUID',
  datetime: 'an RFC 3339 time like 2026-11-21T09:30:00Z',
  date: 'a date like 2026-11-21',
};

/**
 * The messages of zod's own checks, for `safeParse(value, { error: validationMessage })`. Each one completes a sentence
 * that begins with the name of the field. None has the value: the caller adds it. A schema's own message comes first.
 */
export const validationMessage: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      if (issue.input === undefined) return 'is required';
      return issue.values.length === 1
        ? `must be ${JSON.stringify(issue.values[0])}`
        : `must be one of ${issue.values.join(', ')}`;
    case 'too_small':
      if (issue.minimum === 1 && unitOf(issue.origin, 1) !== null && !issue.exact) return 'must not be empty';
      return sizeMessage(issue, issue.minimum, issue.inclusive === false ? 'more than' : 'at least');
    case 'too_big':
      return sizeMessage(issue, issue.maximum, issue.inclusive === false ? 'less than' : 'at most');
    case 'unrecognized_keys':
      return issue.keys.map((key) => `there is no field ${JSON.stringify(key)}`).join(', ');
    case 'invalid_key':
      return `the name ${issue.issues[0]?.message ?? 'is not valid'}`;
    case 'invalid_format':
      if (issue.format === 'regex') return `must match the pattern ${issue.pattern}`;
      return `must be ${FORMATS[issue.format] ?? `of the format ${issue.format}`}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_union':
      return 'must match one of the alternatives';
    default:
      return 'is not valid';
  }
};

/** A whole number in a query or a setting, where all values are texts. One message names the whole range. */
export function wholeNumber(from: number, to: number) {
  return z.coerce
    .number({ error: `must be a whole number from ${from} to ${to}` })
    .int()
    .min(from)
    .max(to);
}

function sizeMessage(
  { origin, exact }: { origin: string; exact?: boolean | undefined },
  limit: unknown,
  bound: string,
) {
  const unit = unitOf(origin, limit);
  const amount = `${exact ? 'exactly' : bound} ${limit}`;
  return unit === null ? `must be ${amount}` : `must have ${amount} ${unit}`;
}

/** Null for a number. */
function unitOf(origin: string, count: unknown): string | null {
  const unit = origin === 'string' ? 'character' : origin === 'array' ? 'item' : null;
  return unit && (Number(count) === 1 ? unit : `${unit}s`);
}
