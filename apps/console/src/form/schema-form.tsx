import { Fieldset, NumberInput, PasswordInput, Select, Stack, Switch, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { faultAt } from '../api/failures';
import { fieldTypeOf, type JsonSchema } from './json-schema';

type Values = Record<string, unknown>;

interface SchemaFormProps {
  schema: JsonSchema;
  values: Values;
  /** A property that is undefined is left out of the request. */
  change: (values: Values) => void;
  /** By JSON pointer. */
  faults?: Record<string, string>;
  /** The pointer of this object: `/credentials`. */
  pointer?: string;
  /** Of secret fields that are stored: their masks, by name. */
  masks?: Values;
  readOnly?: boolean;
}

/** The fields of an object, from its JSON Schema. */
export function SchemaForm({ schema, values, change, faults = {}, pointer = '', masks, readOnly }: SchemaFormProps) {
  return (
    <Stack gap="sm">
      {Object.entries(schema.properties ?? {}).map(([name, property]) => (
        <SchemaField
          key={name}
          name={name}
          schema={property}
          value={values[name]}
          isRequired={schema.required?.includes(name) === true && property.default === undefined}
          change={(value) => change({ ...values, [name]: value })}
          faults={faults}
          pointer={`${pointer}/${name}`}
          mask={masks?.[name]}
          readOnly={readOnly ?? false}
        />
      ))}
    </Stack>
  );
}

interface FieldProps {
  name: string;
  schema: JsonSchema;
  value: unknown;
  isRequired: boolean;
  change: (value: unknown) => void;
  faults: Record<string, string>;
  pointer: string;
  mask: unknown;
  readOnly: boolean;
}

function SchemaField(props: FieldProps) {
  const { name, schema, value, isRequired, change, faults, pointer, readOnly } = props;
  const field = {
    label: schema.title ?? name,
    description: descriptionOf(schema),
    required: isRequired,
    error: faults[pointer],
    readOnly,
  };
  switch (fieldTypeOf(schema)) {
    case 'choice':
      return (
        <Select
          {...field}
          data={(schema.enum ?? []).map(String)}
          value={value === undefined || value === null ? null : String(value)}
          onChange={(chosen) => change(schema.enum?.find((one) => String(one) === chosen))}
          clearable={!isRequired}
          placeholder={placeholderOf(schema)}
        />
      );
    case 'number':
      return (
        <NumberInput
          {...field}
          value={typeof value === 'number' ? value : ''}
          onChange={(entered) => change(entered === '' ? undefined : Number(entered))}
          allowDecimal={schema.type !== 'integer'}
          {...(schema.minimum !== undefined && { min: schema.minimum })}
          {...(schema.maximum !== undefined && { max: schema.maximum })}
          placeholder={placeholderOf(schema)}
        />
      );
    case 'boolean':
      return (
        <Switch
          label={field.label}
          description={field.description}
          error={field.error}
          checked={value === true}
          disabled={readOnly}
          onChange={(event) => change(event.currentTarget.checked)}
        />
      );
    case 'object':
      return (
        <Fieldset legend={field.label}>
          <SchemaForm
            schema={schema}
            values={(value ?? {}) as Values}
            change={change}
            faults={faults}
            pointer={pointer}
            readOnly={readOnly}
          />
        </Fieldset>
      );
    case 'json':
      return <JsonValue {...props} />;
    case 'text':
      return schema.secret ? <SecretText {...props} /> : <PlainText {...props} />;
  }
}

const LONG_TEXT = 200;

function PlainText({ name, schema, value, isRequired, change, faults, pointer, readOnly }: FieldProps) {
  return (
    <TextInput
      label={schema.title ?? name}
      description={descriptionOf(schema)}
      placeholder={placeholderOf(schema)}
      required={isRequired}
      readOnly={readOnly}
      error={faults[pointer]}
      value={typeof value === 'string' ? value : ''}
      onChange={(event) => change(event.currentTarget.value || undefined)}
      autoComplete="off"
    />
  );
}

/** Several lines for keys and files that are pasted as text. */
function SecretText({ name, schema, value, isRequired, change, faults, pointer, mask, readOnly }: FieldProps) {
  const isStored = typeof mask === 'string';
  const field = {
    label: schema.title ?? name,
    description: descriptionOf(schema),
    placeholder: isStored ? `${mask}, as stored` : undefined,
    required: isRequired && !isStored,
    readOnly,
    error: faults[pointer],
    value: typeof value === 'string' ? value : '',
    autoComplete: 'off',
  };
  return /JSON|PEM|private key/i.test(schema.description ?? '') ? (
    <Textarea
      {...field}
      autosize
      minRows={3}
      maxRows={10}
      onChange={(event) => change(event.currentTarget.value || undefined)}
    />
  ) : (
    <PasswordInput
      {...field}
      autoComplete="new-password"
      onChange={(event) => change(event.currentTarget.value || undefined)}
    />
  );
}

/** Lists and values without a form of their own. */
function JsonValue({ name, schema, value, isRequired, change, faults, pointer, readOnly }: FieldProps) {
  const [text, setText] = useState(() => (value === undefined ? '' : JSON.stringify(value, null, 2)));
  const [fault, setFault] = useState<string>();
  function enter(entered: string): void {
    setText(entered);
    try {
      change(entered.trim() === '' ? undefined : JSON.parse(entered));
      setFault(undefined);
    } catch (error) {
      setFault(`is not JSON: ${(error as Error).message}`);
    }
  }
  return (
    <Textarea
      label={`${schema.title ?? name} (JSON)`}
      description={descriptionOf(schema)}
      required={isRequired}
      readOnly={readOnly}
      error={fault ?? faultAt(faults, pointer)}
      value={text}
      onChange={(event) => enter(event.currentTarget.value)}
      autosize
      minRows={2}
      maxRows={12}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
    />
  );
}

function descriptionOf({ description, maxLength, format }: JsonSchema): string | undefined {
  const limits = [
    maxLength !== undefined && maxLength <= LONG_TEXT && `at most ${maxLength} characters`,
    format !== undefined && format !== 'uri' && format,
  ].filter(Boolean);
  return [description, limits.join(', ')].filter(Boolean).join('. ') || undefined;
}

function placeholderOf(schema: JsonSchema): string | undefined {
  return schema.default === undefined ? undefined : `${String(schema.default)} unless you change it`;
}
