import type { FoundDelivery } from '#client';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { choicesOf, type Filter } from '../../list/list-filters';
import { Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { CHANNEL_CHOICES, channelName } from '../../words/channels';
import { stateSentences } from '../../words/delivery-states';
import { reasonTexts } from '../../words/reasons';
import { WhyShort } from '../../words/why-short';

const columns: readonly Column<FoundDelivery>[] = [
  { id: 'message', label: 'Message', cell: messageOf },
  { id: 'recipient', label: 'Recipient', cell: ({ recipient_id }) => recipient_id },
  { id: 'channel', label: 'Channel', cell: ({ channel }) => channelName(channel) },
  { id: 'state', label: 'State', cell: ({ state }) => <StateBadge state={state} /> },
  { id: 'reason', label: 'Reason', cell: (delivery) => <WhyShort delivery={delivery} /> },
  { id: 'created_at', label: 'Accepted', cell: ({ created_at }) => <Time value={created_at} /> },
];

function messageOf({ subject, type, template_id }: FoundDelivery): string {
  return subject ?? type ?? template_id ?? 'Without a subject';
}

const reasons = [...new Set(Object.values(reasonTexts).flatMap(Object.keys))];

const filters: readonly Filter[] = [
  { name: 'recipient_id', label: 'Recipient', kind: 'text', placeholder: 'user-17' },
  { name: 'address', label: 'Address', kind: 'text', placeholder: 'ann@example.com' },
  {
    name: 'state',
    label: 'State',
    kind: 'choice',
    choices: [
      ...choicesOf(Object.keys(stateSentences)),
      // The overview leads to these.
      { value: 'failed,bounced,unknown', label: 'failed, bounced or unknown' },
      { value: 'suppressed,expired', label: 'suppressed or expired' },
    ],
  },
  { name: 'reason', label: 'Reason', kind: 'choice', choices: choicesOf(reasons) },
  {
    name: 'channel',
    label: 'Channel',
    kind: 'choice',
    choices: CHANNEL_CHOICES,
  },
  { name: 'category', label: 'Category', kind: 'text' },
  { name: 'template', label: 'Template', kind: 'text' },
  { name: 'created_from', label: 'Accepted after', kind: 'time' },
  { name: 'created_to', label: 'Accepted before', kind: 'time' },
];

/** The deliveries of a tenant, newest first, by what a person knows of them. */
export function DeliverySearch() {
  const { linkTo } = useViewContext();
  return (
    <Page title="Deliveries" about="Every message to one recipient on one channel, newest first: where it is, and why.">
      <List<FoundDelivery>
        name="deliveries"
        columns={columns}
        load={(carillon, query) => carillon.deliveries.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/deliveries/${id}`)}
        filters={filters}
        empty={{ title: 'No deliveries yet', text: 'They appear as soon as you send a notification.' }}
      />
    </Page>
  );
}
