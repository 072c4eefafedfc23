import { Anchor } from '@mantine/core';
import { Link } from 'react-router';
import { type Column, List } from '../../list/list';
import { Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';

interface Tenant {
  id: string;
  name: string;
  status: string;
  created_at: string;
}

const columns: readonly Column<Tenant>[] = [
  { id: 'name', label: 'Name', cell: ({ name }) => name },
  { id: 'status', label: 'Status', cell: ({ status }) => <StateBadge state={status} /> },
  { id: 'created_at', label: 'Created', cell: ({ created_at }) => <Time value={created_at} /> },
];

export default function Tenants() {
  return (
    <Page title="Tenants">
      <List<Tenant>
        name="tenants"
        columns={columns}
        load={(carillon, query) => carillon.tenants.list({ query })}
        rowId={({ id }) => id}
        rowActions={({ id }) => (
          <Anchor component={Link} to={`/t/${id}`} size="sm">
            Open
          </Anchor>
        )}
        empty={{ title: 'No tenants yet' }}
      />
    </Page>
  );
}
