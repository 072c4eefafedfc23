import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';
import type { WebhooksDeliveriesResponse } from '#client';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { inWords, StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';

type EndpointDelivery = WebhooksDeliveriesResponse['data'][number];

const LIVE_MS = 10_000;

const columns: readonly Column<EndpointDelivery>[] = [
  { id: 'type', label: 'Event', cell: ({ type }) => type },
  { id: 'state', label: 'State', cell: ({ state }) => <StateBadge state={state} /> },
  { id: 'reason', label: 'Reason', cell: ({ reason }) => (reason ? inWords(reason) : '–') },
  { id: 'attempts', label: 'Attempts', cell: ({ attempts }) => attempts },
  { id: 'created_at', label: 'Event at', cell: ({ created_at }) => <Time value={created_at} /> },
  {
    id: 'ended',
    label: 'Sent, or next attempt',
    cell: ({ sent_at, due_at }) => <Time value={sent_at ?? due_at} />,
  },
];

export function EndpointDeliveries({ id }: { id: string }) {
  const { linkTo } = useViewContext();
  const mayRead = useScope('notifications:read');
  const maySeeDeadLetters = useScope('dead_letters:read');
  return (
    <>
      {maySeeDeadLetters && (
        <Text size="sm" c="dimmed" mb="sm">
          Each event is a delivery; its timeline shows every attempt.{' '}
          <Anchor component={Link} to={linkTo('/dead-letters?channel=webhook')} inherit underline="always">
            Those that failed for good
          </Anchor>{' '}
          are dead letters too.
        </Text>
      )}
      <List<EndpointDelivery>
        name="webhook_deliveries"
        of={id}
        columns={columns}
        load={(carillon, query) => carillon.webhooks.deliveries({ path: { id }, query })}
        rowId={(row) => row.id}
        {...(mayRead && { linkTo: (row) => linkTo(`/deliveries/${row.id}`) })}
        empty={{
          title: 'No events yet',
          text: 'Send a test event, or wait for the first event of a type chosen here.',
        }}
        refreshMs={LIVE_MS}
      />
    </>
  );
}
