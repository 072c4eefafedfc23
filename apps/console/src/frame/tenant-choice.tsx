import { Badge, Group, Select, Text } from '@mantine/core';
import { useNavigate } from 'react-router';
import { useRead, useViewContext } from '../api/view-context';
import { useSession } from '../session/session';

const PLATFORM = 'platform';

/** The tenant of the key, or for an operator the choice of the tenant to look at. */
export function TenantChoice() {
  const { tenant } = useSession();
  if (!tenant) return <OperatorsChoice />;
  return (
    <Group gap="xs" wrap="nowrap">
      <Text size="sm" truncate maw="35vw">
        {tenant.name}
      </Text>
      {tenant.mode === 'test' && (
        <Badge color="orange" variant="light">
          test
        </Badge>
      )}
    </Group>
  );
}

function OperatorsChoice() {
  const { tenantId } = useViewContext();
  const navigate = useNavigate();
  const tenants = useRead(['tenants', 'choice'], (carillon) => carillon.tenants.list({ query: { limit: 200 } }));
  const known = (tenants.data?.data ?? []).map(({ id, name }) => ({ value: id, label: name }));
  // A tenant beyond the first page, or a test tenant, is reached from the list of tenants.
  const current = tenantId !== null && !known.some(({ value }) => value === tenantId);
  return (
    <Select
      aria-label="Tenant"
      size="xs"
      searchable
      allowDeselect={false}
      nothingFoundMessage="No such tenant"
      data={[
        { value: PLATFORM, label: 'All tenants' },
        ...known,
        ...(current && tenantId ? [{ value: tenantId, label: tenantId }] : []),
      ]}
      value={tenantId ?? PLATFORM}
      onChange={(chosen) => void navigate(chosen === PLATFORM || chosen === null ? '/platform' : `/t/${chosen}`)}
    />
  );
}
