import type { NotificationsListResponse } from '#client';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { choicesOf, type Filter } from '../../list/list-filters';
import { Page } from '../../page/page';
import { inWords, StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { channelName } from '../../words/channels';

type Notification = NotificationsListResponse['data'][number];

const columns: readonly Column<Notification>[] = [
  {
    id: 'what',
    label: 'Notification',
    cell: ({ type, template_id, id }) => type ?? template_id ?? id,
  },
  { id: 'to', label: 'To', cell: ({ recipient_id, topic }) => recipient_id ?? `topic ${topic}` },
  { id: 'status', label: 'Status', cell: ({ status }) => <StateBadge state={status} /> },
  { id: 'channels', label: 'Channels', cell: ({ channels }) => channels.map((id) => channelName(id)).join(', ') },
  { id: 'category', label: 'Category', cell: ({ category }) => inWords(category) },
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
  { name: 'category', label: 'Category', kind: 'text' },
  { name: 'type', label: 'Type', kind: 'text' },
  { name: 'topic', label: 'Topic', kind: 'text' },
  { name: 'created_after', label: 'Accepted after', kind: 'time' },
  { name: 'created_before', label: 'Accepted before', kind: 'time' },
];

export function NotificationList() {
  const { linkTo } = useViewContext();
  return (
    <Page title="Notifications" about="What your programs have sent, newest first. Each has one delivery per channel.">
      <List<Notification>
        name="notifications"
        columns={columns}
        load={(carillon, query) => carillon.notifications.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/notifications/${id}`)}
        filters={filters}
        empty={{ title: 'No notifications yet', text: 'Send one with POST /api/v1/notifications.' }}
      />
    </Page>
  );
}
