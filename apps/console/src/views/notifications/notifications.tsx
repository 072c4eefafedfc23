import type { NotificationsListResponse } from '#client';
import { type Column, List } from '../../list/list';
import { choicesOf, type Filter } from '../../list/list-filters';
import { Page } from '../../page/page';
import { inWords, StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';

type Notification = NotificationsListResponse['data'][number];

const columns: readonly Column<Notification>[] = [
  { id: 'id', label: 'Notification', cell: ({ id }) => id },
  { id: 'status', label: 'Status', cell: ({ status }) => <StateBadge state={status} /> },
  { id: 'category', label: 'Category', cell: ({ category }) => inWords(category ?? '–') },
  { id: 'created_at', label: 'Accepted', cell: ({ created_at }) => <Time value={created_at} /> },
];

const filters: readonly Filter[] = [
  { name: 'recipient_id', label: 'Recipient', kind: 'text', placeholder: 'user-17' },
  {
    name: 'status',
    label: 'Status',
    kind: 'choice',
    choices: choicesOf(['pending', 'active', 'sent', 'failed', 'suppressed', 'cancelled']),
  },
  { name: 'created_after', label: 'After', kind: 'time' },
  { name: 'created_before', label: 'Before', kind: 'time' },
];

export default function Notifications() {
  return (
    <Page title="Notifications" about="What your programs have sent, newest first.">
      <List<Notification>
        name="notifications"
        columns={columns}
        load={(carillon, query) => carillon.notifications.list({ query })}
        rowId={({ id }) => id}
        filters={filters}
        empty={{ title: 'No notifications yet', text: 'Send one with POST /api/v1/notifications.' }}
      />
    </Page>
  );
}
