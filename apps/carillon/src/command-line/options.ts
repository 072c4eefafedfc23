import { InvalidArgumentError, Option } from 'commander';

export const JSON_OPTION = new Option('--json', 'print JSON instead of text; errors too, on standard error');

/** Options of the commands that use the API. Commander reads the variables. */
export const URL_OPTION = new Option('--url <url>', 'address of Carillon').env('CARILLON_URL');
export const API_KEY_OPTION = new Option(
  '--api-key <key>',
  'API key; the variable is safer, because others can see the options of a process',
).env('CARILLON_API_KEY');
export const ADMIN_TOKEN_OPTION = new Option(
  '--admin-token <token>',
  "the operator's token, also read from ADMIN_TOKEN; a variable is safer, because others can see the options of a " +
    'process',
).env('CARILLON_ADMIN_TOKEN');

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || number > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return number;
  };
}

export function positiveNumber(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError('It must be above 0.');
  return number;
}

export function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It must be JSON: ${(error as Error).message}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidArgumentError('It must be a JSON object.');
  return value as Record<string, unknown>;
}

/** For an option that may be repeated, and whose value may be a list with commas. */
export function listOf(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(',').map((one) => one.trim())];
}
