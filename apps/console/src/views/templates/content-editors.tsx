import { Skeleton, Stack, Tabs, Text, TextInput } from '@mantine/core';
import { lazy, Suspense, useMemo } from 'react';
import { faultAt } from '../../api/failures';
import { faultOf } from '../../editor/template-faults';
import type { TemplatePlace } from './template-draft';
import { type ContentField, fieldsOf } from './template-fields';

const CodeEditor = lazy(() => import('../../editor/code-editor'));

interface EditorsProps {
  place: TemplatePlace;
  texts: Record<string, string>;
  /** Undefined if it may not be changed. */
  change: ((texts: Record<string, string>) => void) | undefined;
  faults: Record<string, string>;
}

/** Fields of one line, then an editor for each of the others. */
export function ContentEditors({ place: { channel, kind }, texts, change, faults }: EditorsProps) {
  const fields = fieldsOf(channel, kind);
  const lines = fields.filter((field) => field.kind === 'line');
  const long = fields.filter((field) => field.kind !== 'line');
  const first = long.find(({ name }) => texts[name]) ?? long[0]!;
  const editor = (field: ContentField) => (
    <FieldEditor
      field={field}
      text={texts[field.name] ?? ''}
      change={change && ((text) => change({ ...texts, [field.name]: text }))}
      fault={faultAt(faults, `/content/${field.name}`)}
    />
  );
  return (
    <Stack>
      {lines.map(({ name, label, description, isRequired }) => (
        <TextInput
          key={name}
          label={label}
          description={description}
          required={isRequired ?? false}
          readOnly={!change}
          value={texts[name] ?? ''}
          error={faults[`/content/${name}`]}
          onChange={(event) => change?.({ ...texts, [name]: event.currentTarget.value })}
        />
      ))}
      {long.length === 1 ? (
        editor(first)
      ) : (
        <Tabs defaultValue={first.name} keepMounted={false}>
          <Tabs.List aria-label="Fields of the content">
            {long.map(({ name, label }) => (
              <Tabs.Tab key={name} value={name} {...(faultAt(faults, `/content/${name}`) && { c: 'red' })}>
                {label}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          {long.map((field) => (
            <Tabs.Panel key={field.name} value={field.name} pt="xs">
              {editor(field)}
            </Tabs.Panel>
          ))}
        </Tabs>
      )}
    </Stack>
  );
}

interface FieldEditorProps {
  field: ContentField;
  text: string;
  change: ((text: string) => void) | undefined;
  fault: string | undefined;
}

function FieldEditor({ field: { label, kind, description }, text, change, fault }: FieldEditorProps) {
  const faults = useMemo(() => (fault === undefined ? [] : [faultOf(fault)]), [fault]);
  return (
    <div>
      {description && (
        <Text size="xs" c="dimmed" mb={4}>
          {description}
        </Text>
      )}
      <Suspense fallback={<Skeleton h={340} />}>
        <CodeEditor
          label={label}
          language={kind === 'html' || kind === 'json' ? kind : 'text'}
          value={text}
          faults={faults}
          minHeight={kind === 'html' ? 320 : 160}
          {...(change && { onChange: change })}
        />
      </Suspense>
    </div>
  );
}
