import type { Delivery } from '#client';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { choicesOf, type Filter } from '../../list/list-filters';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { channelName } from '../../words/channels';
import { stateSentences } from '../../words/delivery-states';
import { WhyShort } from '../../words/why-short';

const columns: readonly Column<Delivery>[] = [
  { id: 'channel', label: 'Channel', cell: ({ channel }) => channelName(channel) },
  { id: 'recipient', label: 'Recipient', cell: ({ recipient_id }) => recipient_id },
  { id: 'state', label: 'State', cell: ({ state }) => <StateBadge state={state} /> },
  { id: 'reason', label: 'Reason', cell: (delivery) => <WhyShort delivery={delivery} /> },
  { id: 'attempts', label: 'Attempts', cell: ({ attempts }) => attempts },
  { id: 'due_at', label: 'Next', cell: ({ due_at }) => <Time value={due_at} /> },
];

const filters: readonly Filter[] = [
  { name: 'state', label: 'State', kind: 'choice', choices: choicesOf(Object.keys(stateSentences)) },
];

export function NotificationDeliveries({ id }: { id: string }) {
  const { linkTo } = useViewContext();
  return (
    <List<Delivery>
      name="deliveries"
      of={id}
      columns={columns}
      load={(carillon, query) => carillon.notifications.deliveries({ path: { id }, query })}
      rowId={(delivery) => delivery.id}
      linkTo={(delivery) => linkTo(`/deliveries/${delivery.id}`)}
      filters={filters}
      empty={{ title: 'No deliveries yet', text: 'They appear as the members of the topic are read.' }}
      refreshMs={3_000}
    />
  );
}
