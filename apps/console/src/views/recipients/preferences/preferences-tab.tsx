import { Group, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import type { Preferences, RecipientPreferencesEffectiveResponse } from '#client';
import { useAction, useRead } from '../../../api/view-context';
import { SaveButtons } from '../../../form/save-buttons';
import { useLockedFields } from '../../../form/use-locked-fields';
import { LoadError } from '../../../page/load-error';
import { Loaded } from '../../../page/page';
import { type Edit, UnsavedChanges, useEdit } from '../../../page/unsaved-changes';
import { useScope } from '../../../session/session';
import { PreferenceLink } from './preference-link';
import { PreferenceMatrix } from './preference-matrix';
import { QuietHoursEditor } from './quiet-hours-editor';

export function PreferencesTab({ id }: { id: string }) {
  const effective = useRead(['recipients', 'effective', id], (carillon, signal) =>
    carillon.recipientPreferences.effective({ path: { id }, signal }),
  );
  const preferences = useRead(['recipients', 'preferences', id], (carillon, signal) =>
    carillon.recipients.preferences({ path: { id }, signal }),
  );
  return (
    <Loaded query={effective}>
      {(decided) => (
        <Loaded query={preferences}>
          {(chosen) => <Choices key={id} id={id} newest={chosen} decided={decided} />}
        </Loaded>
      )}
    </Loaded>
  );
}

function Choices({ id, newest, decided }: Omit<EditorProps, 'chosen' | 'edit'> & { newest: Preferences }) {
  const edit = useEdit(newest, JSON.stringify);
  return <PreferencesEditor key={edit.version} id={id} chosen={edit.base} decided={decided} edit={edit} />;
}

interface EditorProps {
  id: string;
  edit: Edit<Preferences>;
  chosen: Preferences;
  decided: RecipientPreferencesEffectiveResponse;
}

function PreferencesEditor({ id, chosen, decided, edit }: EditorProps) {
  const mayWrite = useScope('recipients:write');
  const [preferences, setPreferences] = useState(chosen);
  const isChanged = JSON.stringify(preferences) !== JSON.stringify(chosen);
  const save = useAction<Preferences>({
    run: (carillon, body) => carillon.recipients.putPreferences({ path: { id }, body }),
    done: 'The preferences are saved',
    changes: ['recipients'],
    quiet: true,
  });
  const lockedFields = useLockedFields(save.isPending);
  return (
    <Stack {...lockedFields}>
      <UnsavedChanges isChanged={isChanged} save={save} edit={edit} />
      <Group justify="space-between" align="flex-end">
        <div>
          <Title order={2} size="h4">
            What they get
          </Title>
          <Text size="sm" c="dimmed" maw={720}>
            By category and channel: whether it is sent, and which rule decided. The suppression list belongs to
            addresses and is not part of it.
          </Text>
        </div>
        <PreferenceLink id={id} />
      </Group>
      <PreferenceMatrix
        decided={decided}
        saved={chosen}
        preferences={preferences}
        change={mayWrite ? setPreferences : undefined}
      />
      <QuietHoursEditor
        value={preferences.quiet_hours ?? null}
        change={mayWrite ? (quiet_hours) => setPreferences({ ...preferences, quiet_hours }) : undefined}
      />
      {save.error && <LoadError error={save.error} />}
      {mayWrite && (
        <SaveButtons
          label="Save preferences"
          isChanged={isChanged}
          isBusy={save.isPending}
          save={() => save.mutate(preferences)}
          discard={() => setPreferences(chosen)}
        />
      )}
    </Stack>
  );
}
