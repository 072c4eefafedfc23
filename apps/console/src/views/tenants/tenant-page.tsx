import { Alert, Anchor, Button, Group, Stack, Tabs } from '@mantine/core';
import { Link, useNavigate, useParams } from 'react-router';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { Loaded, Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useRole } from '../../session/session';
import { ApiKeys } from '../api-keys/api-keys';
import { QuotaBars } from '../categories/quota-use';
import type { OneTenant } from './one-tenant';
import { TenantSettings } from './tenant-settings';

export function TenantPage() {
  const { id = '', tab = 'overview' } = useParams();
  const { linkTo } = useViewContext();
  const navigate = useNavigate();
  const mayWrite = useRole('admin');
  const query = useRead(['tenants', 'one', id], (carillon) => carillon.tenants.get({ path: { id } }));
  return (
    <Page
      title={query.data?.name ?? 'Tenant'}
      parent={{ title: 'Tenants', to: linkTo('/tenants') }}
      actions={query.data && <Actions tenant={query.data} mayWrite={mayWrite} />}
    >
      <Loaded query={query}>
        {(tenant) => (
          <Tabs
            value={tab}
            onChange={(chosen) => void navigate(linkTo(`/tenants/${id}/${chosen}`))}
            keepMounted={false}
          >
            <Tabs.List>
              <Tabs.Tab value="overview">Overview</Tabs.Tab>
              {tenant.test_of === null && <Tabs.Tab value="keys">API keys</Tabs.Tab>}
              {tenant.test_of === null && <Tabs.Tab value="settings">Settings</Tabs.Tab>}
            </Tabs.List>
            <Tabs.Panel value="overview" pt="md">
              <Overview tenant={tenant} />
            </Tabs.Panel>
            <Tabs.Panel value="keys" pt="md">
              <ApiKeys tenantId={tenant.id} />
            </Tabs.Panel>
            <Tabs.Panel value="settings" pt="md">
              <TenantSettings key={tenant.id} newest={tenant} />
            </Tabs.Panel>
          </Tabs>
        )}
      </Loaded>
    </Page>
  );
}

function Actions({ tenant, mayWrite }: { tenant: OneTenant; mayWrite: boolean }) {
  const changes = ['tenants'];
  const setStatus = useAction({
    run: (carillon, status: OneTenant['status']) =>
      carillon.tenants.update({ path: { id: tenant.id }, body: { status } }),
    done: ({ status }) => (status === 'active' ? 'The tenant is active' : 'The tenant is suspended'),
    changes,
  });
  return (
    <Group gap="xs">
      <Button component={Link} to={`/t/${tenant.id}`} variant="default">
        Open its views
      </Button>
      {mayWrite && tenant.test_of === null && tenant.status === 'active' && (
        <ConfirmButton
          color="red.9"
          title={`Suspend ${tenant.name}?`}
          text={
            'Its keys are refused within five seconds, and its waiting deliveries are suppressed when they are due. ' +
            'Those are not sent after it is active again.'
          }
          confirm="Suspend the tenant"
          typed={tenant.name}
          run={() => setStatus.mutateAsync('suspended')}
        >
          Suspend
        </ConfirmButton>
      )}
      {mayWrite && tenant.test_of === null && tenant.status === 'suspended' && (
        <ConfirmButton
          color="teal.9"
          title={`Activate ${tenant.name}?`}
          text="Its keys work again within five seconds."
          confirm="Activate the tenant"
          typed={tenant.name}
          run={() => setStatus.mutateAsync('active')}
        >
          Activate
        </ConfirmButton>
      )}
    </Group>
  );
}

function Overview({ tenant }: { tenant: OneTenant }) {
  return (
    <Stack>
      {tenant.status === 'suspended' && (
        <Alert color="orange" title="This tenant is suspended">
          Its keys are refused, and its deliveries are suppressed when they are due.
        </Alert>
      )}
      <QuotaBars quota={tenant.quota} />
      <Fields
        fields={[
          ['Status', <StateBadge key="status" state={tenant.status} />],
          ['Id', <Identifier key="id" value={tenant.id} />],
          ['Test tenant', tenant.test_tenant_id && <TenantLink id={tenant.test_tenant_id} />],
          ['Test tenant of', tenant.test_of && <TenantLink id={tenant.test_of} />],
          ['Created', <Time key="created" value={tenant.created_at} />],
          ['Changed', <Time key="changed" value={tenant.updated_at} />],
        ]}
      />
    </Stack>
  );
}

function TenantLink({ id }: { id: string }) {
  const { linkTo } = useViewContext();
  return (
    <Anchor component={Link} to={linkTo(`/tenants/${id}`)} size="sm">
      {id}
    </Anchor>
  );
}
