import { Fieldset, NumberInput, Stack, Switch, TagsInput, TextInput } from '@mantine/core';
import type { UseMutationResult } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { Provider } from '#client';
import { failureOf, faultAt } from '../../api/failures';
import { useViewContext } from '../../api/view-context';
import type { JsonSchema } from '../../form/json-schema';
import { SaveButtons } from '../../form/save-buttons';
import { SchemaForm } from '../../form/schema-form';
import { useLockedFields } from '../../form/use-locked-fields';
import { LoadError } from '../../page/load-error';
import { type Edit, UnsavedChanges } from '../../page/unsaved-changes';
import type { Account } from './account-routes';
import { type AccountForm, hasChanged } from './account-values';

interface FormProps {
  provider: Provider;
  first: AccountForm;
  /** The stored account, whose secrets are masked. */
  stored?: Account;
  edit?: Edit<Account>;
  /** Undefined if it may not be changed. */
  save: UseMutationResult<Account, Error, AccountForm> | undefined;
  saveLabel: string;
}

/** Name, credentials by the provider's schema, order and pace; for the platform who may use it. */
export function AccountFormFields({ provider, first, stored, edit, save, saveLabel }: FormProps) {
  const { isPlatform } = useViewContext();
  const [form, setForm] = useState(first);
  const isChanged = hasChanged(first, form);
  const lockedFields = useLockedFields(save?.isPending ?? false);
  const failure = save?.error ? failureOf(save.error) : null;
  const faults = failure?.fields ?? {};
  const isReadOnly = save === undefined;
  const set = (changed: Partial<AccountForm>): void => {
    setForm({ ...form, ...changed });
    if (save && !save.isIdle && !save.isPending) save.reset();
  };

  function submit(event: FormEvent): void {
    event.preventDefault();
    save?.mutate(form);
  }

  return (
    <form onSubmit={submit} aria-label="Account" autoComplete="off">
      <UnsavedChanges isChanged={isChanged} save={save} edit={edit} />
      <Stack maw={720} {...lockedFields}>
        <TextInput
          label="Name"
          description="For you; it is shown in timelines"
          required
          readOnly={isReadOnly}
          maxLength={100}
          value={form.name}
          error={faults['/name']}
          onChange={(event) => set({ name: event.currentTarget.value })}
        />
        <Fieldset legend={`Credentials of ${provider.name}`}>
          <SchemaForm
            schema={provider.credentials as JsonSchema}
            values={form.credentials}
            change={(credentials) => set({ credentials })}
            faults={faults}
            pointer="/credentials"
            readOnly={isReadOnly}
            {...(stored && { masks: stored.credentials })}
          />
        </Fieldset>
        <NumberInput
          label="Sends per second"
          description="Over all workers. Empty: the default limit of the provider"
          value={form.pace ?? ''}
          min={0.001}
          max={100_000}
          readOnly={isReadOnly}
          error={faults['/pace_per_second']}
          onChange={(value) => set({ pace: value === '' ? null : Number(value) })}
        />
        {isPlatform && <Allowances form={form} set={set} faults={faults} isReadOnly={isReadOnly} />}
        <Switch
          label="Use this account"
          description="Off: it is kept, and deliveries use the next one"
          checked={form.enabled}
          disabled={isReadOnly}
          onChange={(event) => set({ enabled: event.currentTarget.checked })}
        />
        {save?.error && <LoadError error={save.error} />}
        {save && (
          <SaveButtons label={saveLabel} isChanged={isChanged} isBusy={save.isPending} discard={() => set(first)} />
        )}
      </Stack>
    </form>
  );
}

const LISTS = [
  ['tenants', '/allowed_tenants', 'Tenants that may use it', 'Their ids. Empty: all tenants'],
  ['from', '/allowed_from', 'Senders of e-mails', 'Addresses, @domain, or * for any. Empty: only its own sender'],
  ['channels', '/allowed_channels', 'Chat channels', 'Ids or names, or * for any. Empty: only its own channel'],
] as const;

interface AllowancesProps {
  form: AccountForm;
  set: (changed: Partial<AccountForm>) => void;
  faults: Record<string, string>;
  isReadOnly: boolean;
}

function Allowances({ form, set, faults, isReadOnly }: AllowancesProps) {
  return (
    <Fieldset legend="Who may use it, and as whom">
      <Stack gap="sm">
        {LISTS.map(([name, pointer, label, description]) => (
          <TagsInput
            key={name}
            label={label}
            description={description}
            value={form.allowed[name]}
            readOnly={isReadOnly}
            error={faultAt(faults, pointer)}
            onChange={(entries) => set({ allowed: { ...form.allowed, [name]: entries } })}
          />
        ))}
      </Stack>
    </Fieldset>
  );
}
