import { Badge, Group, Progress, Stack, Text, Title } from '@mantine/core';
import { useParams } from 'react-router';
import type { Notification } from '#client';
import { useRead, useViewContext } from '../../api/view-context';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { Loaded, Page } from '../../page/page';
import { RawJson } from '../../page/raw-json';
import { inWords, StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { ViewLink } from '../../page/view-link';
import { channelName } from '../../words/channels';
import { NotificationActions } from './notification-actions';
import { NotificationDeliveries } from './notification-deliveries';

const REFRESH_MS = 3_000;

/** One notification with its deliveries. */
export function NotificationPage() {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const notification = useRead(
    ['notifications', 'one', id],
    (carillon) => carillon.notifications.get({ path: { id } }),
    {
      refreshMs: REFRESH_MS,
    },
  );
  const found = notification.data;
  return (
    <Page
      title={found ? (found.type ?? found.template_id ?? 'Notification') : 'Notification'}
      about={found && <To notification={found} />}
      parent={{ title: 'Notifications', to: linkTo('/notifications') }}
      actions={found && <NotificationActions notification={found} />}
    >
      <Loaded query={notification}>{(loaded) => <Content notification={loaded} />}</Loaded>
    </Page>
  );
}

function To({ notification: { recipient_id, topic } }: { notification: Notification }) {
  if (recipient_id !== null)
    return (
      <>
        To <ViewLink to={`/recipients/${encodeURIComponent(recipient_id)}`}>{recipient_id}</ViewLink>
      </>
    );
  return (
    <>
      To the topic <ViewLink to={`/topics/${topic}`}>{topic}</ViewLink>
    </>
  );
}

function Content({ notification }: { notification: Notification }) {
  const { id, counts, fan_out, metadata } = notification;
  return (
    <Stack>
      <Group gap="xs" role="list" aria-label="Deliveries by state">
        {Object.entries(counts).map(([state, count]) => (
          <Group key={state} gap={4} role="listitem">
            <Text fw={600}>{count.toLocaleString()}</Text>
            <StateBadge state={state} />
          </Group>
        ))}
      </Group>
      {fan_out && <FanOut fanOut={fan_out} />}
      <Title order={2} size="h5">
        Deliveries
      </Title>
      <NotificationDeliveries id={id} />
      <Title order={2} size="h5">
        Details
      </Title>
      <Fields
        fields={[
          ['Status', <StateBadge key="status" state={notification.status} />],
          ['Channels', notification.channels.map((channel) => channelName(channel)).join(', ')],
          ['Category', notification.category],
          ['Type', notification.type],
          ['Template', notification.template_id && <TemplateLink id={notification.template_id} />],
          ['Priority', notification.priority],
          ['Accepted', <Time key="created" value={notification.created_at} />],
          ['Scheduled for', notification.scheduled_at && <Time value={notification.scheduled_at} />],
          ['Expires', notification.expires_at && <Time value={notification.expires_at} />],
          ['Metadata', Object.keys(metadata).length > 0 && <Metadata values={metadata} />],
          ['Notification id', <Identifier key="id" value={id} what="notification id" />],
        ]}
      />
      <RawJson value={notification} path={`/api/v1/notifications/${id}`} />
    </Stack>
  );
}

function TemplateLink({ id }: { id: string }) {
  return <ViewLink to={`/templates/${encodeURIComponent(id)}`}>{id}</ViewLink>;
}

function Metadata({ values }: { values: Record<string, string> }) {
  return (
    <Group gap={4}>
      {Object.entries(values).map(([key, value]) => (
        <Badge key={key} variant="default" tt="none" fw={400}>
          {key}: {value}
        </Badge>
      ))}
    </Group>
  );
}

function FanOut({ fanOut: { total, expanded, state } }: { fanOut: NonNullable<Notification['fan_out']> }) {
  const percent = total ? Math.round((100 * expanded) / total) : 0;
  return (
    <div>
      <Text size="sm" mb={4}>
        {total === null
          ? `${expanded.toLocaleString()} members of the topic`
          : `${expanded.toLocaleString()} of ${total.toLocaleString()} members`}{' '}
        have their deliveries; {inWords(state)}.
      </Text>
      {total !== null && total > 0 && <Progress value={percent} aria-label="Members with deliveries" />}
    </div>
  );
}
