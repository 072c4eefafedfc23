import { Text } from '@mantine/core';
import type { Subscription } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { ConfirmButton } from '../../page/confirm-button';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { channelName } from '../../words/channels';

const columns: readonly Column<Subscription>[] = [
  { id: 'topic', label: 'Topic', cell: ({ topic }) => topic },
  {
    id: 'channels',
    label: 'Channels',
    cell: ({ channels }) => <Text size="sm">{channels ? channels.map(channelName).join(', ') : 'all'}</Text>,
  },
  { id: 'created_at', label: 'Since', cell: ({ created_at }) => <Time value={created_at} /> },
];

export function SubscriptionsTab({ id }: { id: string }) {
  const { linkTo } = useViewContext();
  const mayWrite = useScope('topics:write');
  const unsubscribe = useAction<string>({
    run: (carillon, topic) => carillon.subscriptions.delete({ path: { key: topic, recipient_id: id } }),
    done: 'Unsubscribed',
    changes: ['recipient_subscriptions'],
  });
  return (
    <List<Subscription>
      name="recipient_subscriptions"
      columns={columns}
      fixed={{ recipient: id }}
      load={(carillon, { recipient: _recipient, ...query }, signal) =>
        carillon.subscriptions.ofRecipient({ path: { id }, query, signal })
      }
      rowId={({ topic }) => topic}
      linkTo={({ topic }) => linkTo(`/topics/${encodeURIComponent(topic)}`)}
      {...(mayWrite && {
        rowActions: ({ topic }: Subscription) => (
          <ConfirmButton
            size="xs"
            title={`Unsubscribe from ${topic}?`}
            text={`${id} gets no more sends to this topic.`}
            confirm="Unsubscribe"
            run={() => unsubscribe.mutateAsync(topic)}
          >
            Unsubscribe
          </ConfirmButton>
        ),
      })}
      empty={{ title: 'No subscriptions', text: 'A send to a topic reaches those who subscribe to it.' }}
    />
  );
}
