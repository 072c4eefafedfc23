import { Alert, Autocomplete, Paper, SimpleGrid, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import type { RecipientsGetResponse } from '#client';
import { failureOf, faultAt } from '../../api/failures';
import { useAction } from '../../api/view-context';
import { SaveButtons } from '../../form/save-buttons';
import { TIME_ZONES } from '../../form/time-zones';
import { useLockedFields } from '../../form/use-locked-fields';
import { Fields } from '../../page/fields';
import { JsonField, parseObject, toJsonText } from '../../page/json-field';
import { LoadError } from '../../page/load-error';
import { Loaded } from '../../page/page';
import { Time } from '../../page/time';
import { type Edit, UnsavedChanges, useEdit } from '../../page/unsaved-changes';
import { useScope } from '../../session/session';
import { changeOf, formOf, type ProfileForm } from './profile-change';
import { useProfile } from './read-profile';

const LOCALES = ['ar', 'de', 'en', 'en-GB', 'es', 'fr', 'fr-CA', 'it', 'ja', 'nl', 'pl', 'pt', 'pt-BR', 'zh'];

const FIELDS: { name: keyof ProfileForm; label: string; description: string; choices?: string[] }[] = [
  { name: 'email', label: 'E-mail', description: 'Where e-mails go' },
  { name: 'phone', label: 'Phone', description: 'E.164, such as +15005550000' },
  { name: 'locale', label: 'Locale', description: 'The language of templates, such as fr-CA', choices: LOCALES },
  { name: 'timezone', label: 'Time zone', description: 'For quiet hours and digests', choices: TIME_ZONES },
];

export function ProfileTab({ id }: { id: string }) {
  const profile = useProfile(id);
  return (
    <Loaded query={profile}>
      {(data) => (
        <Stack>
          {data === null && (
            <Alert color="blue" title="No profile is stored" maw={720}>
              In-app messages and preferences need none. E-mails and text messages need an address.
            </Alert>
          )}
          <Profile key={id} id={id} newest={data} />
        </Stack>
      )}
    </Loaded>
  );
}

type Stored = RecipientsGetResponse | null;

function Profile({ id, newest }: { id: string; newest: Stored }) {
  const edit = useEdit(newest, (one) => one?.updated_at ?? 'new');
  return <ProfileEditor key={edit.version} id={id} profile={edit.base} edit={edit} />;
}

function ProfileEditor({ id, profile, edit }: { id: string; profile: Stored; edit: Edit<Stored> }) {
  const mayWrite = useScope('recipients:write');
  const [form, setForm] = useState(() => formOf(profile));
  const [text, setText] = useState(() => toJsonText(profile?.attributes ?? {}));
  const attributes = parseObject(text);
  const isValid = typeof attributes !== 'string';
  const change = changeOf(profile, form, isValid ? attributes : {});
  const isChanged = Object.keys(change).length > 0 || !isValid;
  const save = useAction<void, unknown>({
    run: (carillon) =>
      profile === null
        ? carillon.recipients.put({ path: { id }, body: change })
        : carillon.recipients.patch({ path: { id }, body: change }),
    done: profile === null ? 'The profile is created' : 'The profile is saved',
    changes: ['recipients'],
    quiet: true,
  });
  const lockedFields = useLockedFields(save.isPending);
  const faults = save.error ? failureOf(save.error).fields : {};
  const hasFieldFaults = Object.keys(faults).length > 0;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (isValid) save.mutate();
  }

  return (
    <form onSubmit={submit} aria-label="Profile">
      <UnsavedChanges isChanged={isChanged} save={save} edit={edit} />
      <Stack maw={860} {...lockedFields}>
        <Paper withBorder p="md">
          <ProfileFields form={form} change={mayWrite ? setForm : undefined} faults={faults} />
          <Stack mt="md">
            <JsonField
              label="Attributes"
              description="Your own values as JSON. Templates read them as {{recipient.name}}."
              value={text}
              onChange={setText}
              readOnly={!mayWrite}
              error={faultAt(faults, '/attributes')}
            />
          </Stack>
        </Paper>
        {save.error && !hasFieldFaults && <LoadError error={save.error} />}
        {profile && (
          <Fields
            fields={[
              ['Created', <Time key="created" value={profile.created_at} />],
              ['Changed', <Time key="changed" value={profile.updated_at} />],
            ]}
          />
        )}
        {mayWrite && (
          <SaveButtons
            label={profile === null ? 'Create the profile' : 'Save'}
            isChanged={isChanged && profile !== null}
            maySave={isValid && (isChanged || profile === null)}
            isBusy={save.isPending}
            discard={() => {
              setForm(formOf(profile));
              setText(toJsonText(profile?.attributes ?? {}));
            }}
          />
        )}
      </Stack>
    </form>
  );
}

interface FieldsProps {
  form: ProfileForm;
  /** Undefined if it may not be changed. */
  change: ((form: ProfileForm) => void) | undefined;
  faults: Record<string, string>;
}

function ProfileFields({ form, change, faults }: FieldsProps) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }}>
      {FIELDS.map(({ name, label, description, choices }) => {
        const value = form[name];
        const field = { label, description, value, readOnly: !change, error: faults[`/${name}`] };
        const enter = (text: string): void => change?.({ ...form, [name]: text });
        return choices ? (
          <Autocomplete key={name} {...field} data={choices} limit={20} onChange={enter} />
        ) : (
          <TextInput key={name} {...field} onChange={(event) => enter(event.currentTarget.value)} />
        );
      })}
    </SimpleGrid>
  );
}
