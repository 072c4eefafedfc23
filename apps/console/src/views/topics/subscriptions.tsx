import { Button, Group, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconUserPlus } from '@tabler/icons-react';
import { type Carillon, CarillonError, type SubscriptionsOfTopicResponse } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List, type ListPage, type ListQuery } from '../../list/list';
import type { Filter } from '../../list/list-filters';
import { ConfirmButton } from '../../page/confirm-button';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { channelName } from '../../words/channels';
import { AddSubscriptions } from './add-subscriptions';

type Subscription = SubscriptionsOfTopicResponse['data'][number];

const columns: readonly Column<Subscription>[] = [
  { id: 'recipient', label: 'Recipient', cell: ({ recipient_id }) => recipient_id },
  {
    id: 'channels',
    label: 'Channels',
    cell: ({ channels }) =>
      channels === null ? 'all' : channels.map((channel) => channelName(channel)).join(', ') || 'none',
  },
  { id: 'created_at', label: 'Subscribed', cell: ({ created_at }) => <Time value={created_at} /> },
];

const filters: readonly Filter[] = [
  { name: 'recipient_id', label: 'Recipient', kind: 'text', placeholder: 'Whole id: user-17' },
];

export function Subscriptions({ topic }: { topic: string }) {
  const { linkTo } = useViewContext();
  const [opened, { open, close }] = useDisclosure(false);
  const mayWrite = useScope('topics:write');
  return (
    <>
      <Group justify="space-between">
        <Title order={2} size="h4">
          Subscriptions
        </Title>
        {mayWrite && (
          <Button variant="default" leftSection={<IconUserPlus size={16} aria-hidden />} onClick={open}>
            Add recipients
          </Button>
        )}
      </Group>
      <List<Subscription>
        name="subscriptions"
        of={topic}
        columns={columns}
        load={(carillon, query) => load(carillon, topic, query)}
        rowId={({ recipient_id }) => recipient_id}
        linkTo={({ recipient_id }) => linkTo(`/recipients/${encodeURIComponent(recipient_id)}`)}
        filters={filters}
        {...(mayWrite && { rowActions: (row: Subscription) => <RemoveButton subscription={row} /> })}
        empty={{ title: 'Nobody is subscribed yet', text: 'Add recipients by their ids.' }}
      />
      <AddSubscriptions topic={topic} opened={opened} close={close} />
    </>
  );
}

/** A search by recipient looks at the topics of the recipient: the API has no filter for it. */
async function load(
  carillon: Carillon,
  key: string,
  { recipient_id: id, ...page }: ListQuery,
): Promise<ListPage<Subscription>> {
  if (!id) return await carillon.subscriptions.ofTopic({ path: { key }, query: page });
  try {
    let cursor: string | null = null;
    do {
      const query: { limit: number; cursor?: string } = { limit: 200, ...(cursor && { cursor }) };
      const { data, next_cursor } = await carillon.subscriptions.ofRecipient({ path: { id }, query });
      const found = data.filter(({ topic }) => topic === key);
      if (found.length > 0) return { data: found, next_cursor: null };
      cursor = next_cursor;
    } while (cursor);
  } catch (error) {
    // There is no such recipient.
    if (!(error instanceof CarillonError && error.status === 404)) throw error;
  }
  return { data: [], next_cursor: null };
}

function RemoveButton({ subscription: { topic, recipient_id } }: { subscription: Subscription }) {
  const remove = useAction({
    run: (carillon) => carillon.subscriptions.delete({ path: { key: topic, recipient_id } }),
    done: `${recipient_id} is unsubscribed`,
    changes: ['topics', 'subscriptions'],
  });
  return (
    <ConfirmButton
      size="xs"
      title={`Unsubscribe ${recipient_id}?`}
      text="Sends to this topic that have not reached this recipient yet leave them out."
      confirm="Unsubscribe"
      run={() => remove.mutateAsync()}
    >
      Remove
    </ConfirmButton>
  );
}
