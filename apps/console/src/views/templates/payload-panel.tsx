import { Alert, Button, Group, List, Paper, Stack, Tabs, Text, Title } from '@mantine/core';
import { useState } from 'react';
import type { DraftPreview } from '#client';
import { faultAt } from '../../api/failures';
import { type JsonSchema, sampleOf } from '../../form/json-schema';
import { SchemaForm } from '../../form/schema-form';
import { JsonField, parseObject, toJsonText } from '../../page/json-field';
import type { Draft } from './template-draft';
import { useMissingVariables } from './use-missing-variables';

interface PanelProps {
  sources: readonly string[];
  /** Partials and layouts have no schema. */
  isTemplate: boolean;
  payload: string;
  schema: string;
  change: (changed: Partial<Draft>) => void;
  faults: Record<string, string>;
  payloadErrors: DraftPreview['payload_errors'];
}

/** The payload of the preview, which is saved as the sample, and the schema that sends must match. */
export function PayloadPanel(props: PanelProps) {
  const { sources, isTemplate, payload, schema, change, faults, payloadErrors } = props;
  const values = parseObject(payload);
  const properties = parseObject(schema);
  const hasForm = typeof properties !== 'string' && 'properties' in properties && typeof values !== 'string';
  const [tab, setTab] = useState<string | null>(hasForm ? 'form' : 'payload');
  const missing = useMissingVariables(sources, typeof values === 'string' ? null : values);
  const setValues = (next: unknown): void => change({ payload: toJsonText(next) });
  return (
    <Paper withBorder p="md">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h5">
            Payload of the preview
          </Title>
          {hasForm && (
            <Button size="compact-xs" variant="default" onClick={() => setValues(sampleOf(properties as JsonSchema))}>
              Fill from the schema
            </Button>
          )}
        </Group>
        <PayloadNotes
          missing={missing?.names ?? []}
          fill={() => setValues(missing?.filled())}
          payloadErrors={payloadErrors}
        />
        <Tabs value={hasForm || tab !== 'form' ? tab : 'payload'} onChange={setTab} keepMounted={false}>
          <Tabs.List aria-label="Payload and schema">
            {hasForm && <Tabs.Tab value="form">Form</Tabs.Tab>}
            <Tabs.Tab value="payload">JSON</Tabs.Tab>
            {isTemplate && <Tabs.Tab value="schema">Schema</Tabs.Tab>}
          </Tabs.List>
          {hasForm && (
            <Tabs.Panel value="form" pt="sm">
              <SchemaForm schema={properties as JsonSchema} values={values} change={setValues} />
            </Tabs.Panel>
          )}
          <Tabs.Panel value="payload" pt="sm">
            <JsonField
              label="Payload"
              description="Saved with the template as its sample"
              value={payload}
              onChange={(text) => change({ payload: text })}
              error={faults['/payload'] ?? faults['/sample_payload']}
              minRows={6}
            />
          </Tabs.Panel>
          {isTemplate && (
            <Tabs.Panel value="schema" pt="sm">
              <JsonField
                label="Schema of the payload"
                description="JSON Schema. Sends whose payload does not match are refused. Empty: any payload."
                value={schema}
                onChange={(text) => change({ schema: text })}
                error={faultAt(faults, '/payload_schema')}
                minRows={6}
              />
            </Tabs.Panel>
          )}
        </Tabs>
      </Stack>
    </Paper>
  );
}

interface NotesProps {
  missing: readonly string[];
  fill: () => void;
  payloadErrors: DraftPreview['payload_errors'];
}

function PayloadNotes({ missing, fill, payloadErrors }: NotesProps) {
  return (
    <>
      {missing.length > 0 && (
        <Alert color="yellow" title="The payload lacks variables">
          <Text size="sm">The template uses them: {missing.join(', ')}.</Text>
          <Button size="compact-xs" variant="default" mt="xs" onClick={fill}>
            Add them
          </Button>
        </Alert>
      )}
      {payloadErrors.length > 0 && (
        <Alert color="orange" title="A send with this payload would be refused">
          <List size="sm">
            {payloadErrors.map(({ pointer, message }) => (
              <List.Item key={pointer}>
                {pointer.replace('/payload/', '').replaceAll('/', '.')}: {message}
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}
