import { Alert, Fieldset, NumberInput, SimpleGrid, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { failureOf, faultAt } from '../../api/failures';
import { useAction } from '../../api/view-context';
import { SaveButtons } from '../../form/save-buttons';
import { useLockedFields } from '../../form/use-locked-fields';
import { type Edit, UnsavedChanges, useEdit } from '../../page/unsaved-changes';
import { useRole } from '../../session/session';
import type { OneTenant } from './one-tenant';
import { changedSettings, type FieldValue, fieldValues, type SettingField, settingGroups } from './settings-values';

/** An empty field is the default of the platform. Only what is changed is sent. */
export function TenantSettings({ newest }: { newest: OneTenant }) {
  const edit = useEdit(newest, (one) => one.updated_at);
  return <SettingsForm key={edit.version} tenant={edit.base} edit={edit} />;
}

function SettingsForm({ tenant, edit }: { tenant: OneTenant; edit: Edit<OneTenant> }) {
  const mayWrite = useRole('admin');
  const [before] = useState(() => fieldValues(tenant.settings));
  const [values, setValues] = useState(before);
  const [name, setName] = useState(tenant.name);
  const save = useAction({
    run: (carillon) => {
      const settings = changedSettings(before, values);
      return carillon.tenants.update({
        path: { id: tenant.id },
        body: { ...(name !== tenant.name && { name }), settings },
      });
    },
    done: 'The settings are saved. They apply within five seconds',
    changes: ['tenants'],
    quiet: true,
  });
  const lockedFields = useLockedFields(save.isPending);
  const failure = save.error ? failureOf(save.error) : null;
  const isChanged = name !== tenant.name || JSON.stringify(before) !== JSON.stringify(values);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <UnsavedChanges isChanged={isChanged} save={mayWrite ? save : undefined} edit={edit} />
      <Stack maw={840} {...lockedFields}>
        <TextInput
          label="Name"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={failure?.fields['/name']}
          readOnly={!mayWrite}
          maxLength={200}
          required
        />
        {settingGroups.map(({ title, fields }) => (
          <Fieldset key={title} legend={title} disabled={!mayWrite}>
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              {fields.map((field) => (
                <Setting
                  key={field.name}
                  field={field}
                  value={values[field.name] ?? ''}
                  change={(value) => setValues({ ...values, [field.name]: value })}
                  error={faultAt(failure?.fields ?? {}, `/settings/${field.name}`)}
                />
              ))}
            </SimpleGrid>
          </Fieldset>
        ))}
        {failure && (
          <Alert color="red" role="alert" title={failure.title}>
            {failure.text}
          </Alert>
        )}
        {mayWrite && (
          <SaveButtons
            isChanged={isChanged}
            isBusy={save.isPending}
            discard={() => {
              setName(tenant.name);
              setValues(before);
            }}
          />
        )}
      </Stack>
    </form>
  );
}

interface SettingProps {
  field: SettingField;
  value: FieldValue;
  change: (value: FieldValue) => void;
  error: string | undefined;
}

function Setting({ field: { kind, name: _, ...texts }, value, change, error }: SettingProps) {
  switch (kind) {
    case 'number':
      return (
        <NumberInput
          {...texts}
          placeholder="Default"
          value={value as number | string}
          onChange={change}
          min={0}
          allowDecimal={false}
          thousandSeparator=","
          error={error}
        />
      );
    case 'list':
    case 'numbers':
      return <TagsInput {...texts} value={value as string[]} onChange={change} error={error} />;
    case 'json':
    case 'rows':
      return (
        <Textarea
          {...texts}
          value={value as string}
          onChange={(event) => change(event.currentTarget.value)}
          error={error}
          autosize
          minRows={2}
          maxRows={12}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        />
      );
    case 'text':
      return (
        <TextInput
          {...texts}
          value={value as string}
          onChange={(event) => change(event.currentTarget.value)}
          error={error}
        />
      );
  }
}
