import { Anchor, Badge, Group, Stack, Text } from '@mantine/core';
import type { InboxItem } from '#client';
import { useRead } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import type { Filter } from '../../list/list-filters';
import { inWords } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { InboxTokens } from './inbox-tokens';

const columns: readonly Column<InboxItem>[] = [
  { id: 'title', label: 'Message', cell: (item) => <Message item={item} /> },
  { id: 'category', label: 'Category', cell: ({ category }) => inWords(category) },
  { id: 'created_at', label: 'Received', cell: ({ created_at }) => <Time value={created_at} /> },
  { id: 'seen_at', label: 'Seen', cell: ({ seen_at }) => <Time value={seen_at} none="not yet" /> },
  { id: 'read_at', label: 'Read', cell: ({ read_at }) => <Time value={read_at} none="not yet" /> },
];

const filters: readonly Filter[] = [
  {
    name: 'unread',
    label: 'Read',
    kind: 'choice',
    choices: [
      { value: 'true', label: 'unread' },
      { value: 'false', label: 'read' },
    ],
  },
  {
    name: 'archived',
    label: 'Archive',
    kind: 'choice',
    choices: [
      { value: 'true', label: 'archived' },
      { value: 'false', label: 'not archived' },
    ],
  },
  { name: 'category', label: 'Category', kind: 'text' },
];

export function InboxTab({ id }: { id: string }) {
  const mayWrite = useScope('inbox:write');
  const headers = { 'X-Recipient-ID': id };
  const counts = useRead(['recipients', 'inbox counts', id], (carillon, signal) =>
    carillon.inbox.counts({ headers, signal }),
  );
  return (
    <Stack>
      <Group justify="space-between">
        <Group gap="xs" aria-label="Counters" role="group">
          {counts.data && (
            <>
              <Badge variant="light" tt="none">{`${counts.data.unread} unread`}</Badge>
              <Badge variant="light" tt="none">{`${counts.data.unseen} not seen`}</Badge>
              <Badge variant="light" color="gray" tt="none">{`${counts.data.total} in all`}</Badge>
            </>
          )}
        </Group>
        {mayWrite && <InboxTokens id={id} />}
      </Group>
      <List<InboxItem>
        name="recipient_inbox"
        columns={columns}
        filters={filters}
        fixed={{ recipient: id }}
        load={(carillon, { recipient: _recipient, ...query }, signal) =>
          carillon.inbox.list({ headers, query, signal })
        }
        rowId={(item) => item.id}
        empty={{ title: 'The inbox is empty', text: 'Messages on the channel in_app are shown here.' }}
        refreshMs={15_000}
      />
    </Stack>
  );
}

function Message({ item: { title, body, action_url, read_at, archived_at } }: { item: InboxItem }) {
  return (
    <div>
      <Group gap="xs">
        <Text size="sm" fw={read_at ? 400 : 700}>
          {title}
        </Text>
        {archived_at && (
          <Badge size="xs" variant="light" color="gray" tt="none">
            archived
          </Badge>
        )}
      </Group>
      <Text size="sm" c="dimmed" style={{ whiteSpace: 'pre-line' }}>
        {body}
      </Text>
      {action_url && <ActionUrl url={action_url} />}
    </div>
  );
}

/** A path belongs to the app of the tenant, whose address the console does not know. */
function ActionUrl({ url }: { url: string }) {
  if (!/^https?:\/\//i.test(url)) return <Text size="xs">{url}</Text>;
  return (
    <Anchor href={url} size="xs" target="_blank" rel="noreferrer noopener">
      {url}
    </Anchor>
  );
}
