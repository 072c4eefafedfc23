import type { ReactNode } from 'react';
import type { DeliveryWithTimeline, Notification } from '#client';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { ViewLink } from '../../page/view-link';
import { channelName } from '../../words/channels';

interface DeliveryFieldsProps {
  delivery: DeliveryWithTimeline;
  notification: Notification | undefined;
}

export function DeliveryFields({ delivery, notification }: DeliveryFieldsProps) {
  const { recipient_id, notification_id, provider, provider_message_id } = delivery;
  return (
    <Fields
      fields={[
        ['State', <StateBadge key="state" state={delivery.state} />],
        ['Channel', channelName(delivery.channel)],
        [
          'Recipient',
          <ViewLink key="recipient" to={`/recipients/${encodeURIComponent(recipient_id)}`}>
            {recipient_id}
          </ViewLink>,
        ],
        ['Address', delivery.address],
        [
          'Notification',
          <ViewLink key="notification" to={`/notifications/${notification_id}`}>
            {notification?.type ?? notification_id}
          </ViewLink>,
        ],
        ['Category', notification?.category],
        ['Template', templateOf(notification?.template_id ?? null, delivery.template_version)],
        ['Provider', provider && <Provider name={provider} accountId={delivery.provider_account_id} />],
        ['Id at the provider', provider_message_id && <Identifier value={provider_message_id} what="provider's id" />],
        ['Attempts', delivery.attempts],
        ['Accepted', <Time key="created" value={delivery.created_at} />],
        ['Sent', delivery.sent_at && <Time value={delivery.sent_at} />],
        ['Delivered', delivery.delivered_at && <Time value={delivery.delivered_at} />],
        ['Opened', delivery.opened_at && <Time value={delivery.opened_at} />],
        ['Complaint', delivery.complained_at && <Time value={delivery.complained_at} />],
        ['Delivery id', <Identifier key="id" value={delivery.id} what="delivery id" />],
        ['Trace id', delivery.trace_id && <Identifier value={delivery.trace_id} what="trace id" />],
      ]}
    />
  );
}

function templateOf(id: string | null, version: number | null): ReactNode {
  if (id === null) return null;
  return (
    <ViewLink to={`/templates/${encodeURIComponent(id)}`}>
      {version === null ? id : `${id}, version ${version}`}
    </ViewLink>
  );
}

function Provider({ name, accountId }: { name: string; accountId: string | null }) {
  return accountId === null ? name : <ViewLink to={`/provider-accounts/${accountId}`}>{name}</ViewLink>;
}
