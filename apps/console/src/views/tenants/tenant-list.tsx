import { Anchor, Button, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { Link, useNavigate } from 'react-router';
import type { TenantsListResponse } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { FormDialog } from '../../page/form-dialog';
import { Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useRole } from '../../session/session';

export type Tenant = TenantsListResponse['data'][number];

const columns: readonly Column<Tenant>[] = [
  { id: 'name', label: 'Name', cell: ({ name }) => name },
  { id: 'status', label: 'Status', cell: ({ status }) => <StateBadge state={status} /> },
  { id: 'timezone', label: 'Time zone', cell: ({ settings }) => settings.timezone ?? 'UTC' },
  { id: 'created_at', label: 'Created', cell: ({ created_at }) => <Time value={created_at} /> },
];

export function TenantList() {
  const { linkTo } = useViewContext();
  const mayWrite = useRole('admin');
  return (
    <Page
      title="Tenants"
      about="Each has recipients, templates, accounts and keys of its own, and a test tenant for its test keys."
      actions={mayWrite && <CreateButton />}
    >
      <List<Tenant>
        name="tenants"
        columns={columns}
        load={(carillon, query) => carillon.tenants.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/tenants/${id}`)}
        rowActions={({ id, name }) => (
          <Anchor component={Link} to={`/t/${id}`} size="sm" aria-label={`Open the views of ${name}`}>
            Open
          </Anchor>
        )}
        empty={{ title: 'No tenants yet', text: 'Create one, then an API key for its programs.' }}
      />
    </Page>
  );
}

function CreateButton() {
  const [opened, { open, close }] = useDisclosure(false);
  const navigate = useNavigate();
  const { linkTo } = useViewContext();
  const create = useAction({
    run: (carillon, { name }: { name: string }) => carillon.tenants.create({ body: { name } }),
    done: 'The tenant and its test tenant are created',
    changes: ['tenants'],
    onDone: ({ id }) => navigate(linkTo(`/tenants/${id}/keys`)),
    quiet: true,
  });
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        Create a tenant
      </Button>
      <FormDialog
        title="Create a tenant"
        confirm="Create"
        opened={opened}
        close={close}
        initial={{ name: '' }}
        run={create.mutateAsync}
      >
        {({ values, set, faultOf }) => (
          <TextInput
            label="Name"
            description="A test tenant with the same name is created with it."
            value={values.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
            error={faultOf('name')}
            maxLength={200}
            required
            data-autofocus
          />
        )}
      </FormDialog>
    </>
  );
}
