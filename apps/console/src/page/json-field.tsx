import { JsonInput } from '@mantine/core';

interface JsonFieldProps {
  label: string;
  description?: string;
  value: string;
  onChange: (text: string) => void;
  error?: string | undefined;
  readOnly?: boolean;
  minRows?: number;
}

/** A JSON object as text. `parseObject` reads it. */
export function JsonField({ minRows = 4, error, ...props }: JsonFieldProps) {
  const fault = error ?? faultOf(props.value);
  return (
    <JsonInput
      {...props}
      error={fault}
      autosize
      minRows={minRows}
      maxRows={24}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
    />
  );
}

function faultOf(text: string): string | undefined {
  const parsed = parseObject(text);
  return typeof parsed === 'string' ? parsed : undefined;
}

/** The object, `{}` for an empty text, or the fault as a text. */
export function parseObject(text: string): Record<string, unknown> | string {
  if (!text.trim()) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    return 'must be an object: {"name": "value"}';
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`;
  }
}

export function toJsonText(value: unknown): string {
  return value === null || value === undefined ? '' : JSON.stringify(value, null, 2);
}
