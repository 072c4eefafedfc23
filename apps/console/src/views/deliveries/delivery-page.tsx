import { Button, Grid, Stack, Title } from '@mantine/core';
import { Link, useParams } from 'react-router';
import type { DeliveryWithTimeline, Notification, Recipient } from '#client';
import { useRead, useViewContext } from '../../api/view-context';
import { Loaded, Page } from '../../page/page';
import { RawJson } from '../../page/raw-json';
import { useScope } from '../../session/session';
import { channelTitle } from '../../words/channels';
import { isFinal } from '../../words/delivery-states';
import { verdictOf } from '../../words/verdict';
import { CapturedMessage } from './captured-message';
import { DeliveryActions } from './delivery-actions';
import { DeliveryFields } from './delivery-fields';
import { Timeline } from './timeline';
import { VerdictCard } from './verdict-card';

const REFRESH_MS = 3_000;

/** One delivery: why it is where it is, and every step that led there. */
export function DeliveryPage() {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const delivery = useRead(['deliveries', 'one', id], (carillon) => carillon.deliveries.get({ path: { id } }), {
    // A final delivery may still get a receipt, which is shown when the page is read again.
    refreshMs: REFRESH_MS,
  });
  const notificationId = delivery.data?.notification_id ?? '';
  const notification = useRead(
    ['notifications', 'one', notificationId],
    (carillon) => carillon.notifications.get({ path: { id: notificationId } }),
    { enabled: notificationId !== '' },
  );
  const title = delivery.data ? titleOf(delivery.data) : 'Delivery';
  return (
    <Page title={title} parent={{ title: 'Deliveries', to: linkTo('/deliveries') }} actions={<ExplainAgain id={id} />}>
      <Loaded query={delivery}>{(found) => <Content delivery={found} notification={notification.data} />}</Loaded>
    </Page>
  );
}

function titleOf({ channel, recipient_id }: DeliveryWithTimeline): string {
  return `${channelTitle(channel)} to ${recipient_id}`;
}

function ExplainAgain({ id }: { id: string }) {
  const { linkTo, hasView } = useViewContext();
  if (!useScope('notifications:write') || !hasView('/explain')) return null;
  return (
    <Button component={Link} to={linkTo(`/explain?delivery=${id}`)} variant="default" size="xs">
      Explain again
    </Button>
  );
}

/** The address to look for on the suppression list. It may have changed since the send. */
function profileAddress(channel: DeliveryWithTimeline['channel'], recipient: Recipient | undefined): string | null {
  if (channel === 'email') return recipient?.email ?? null;
  return channel === 'sms' ? (recipient?.phone ?? null) : null;
}

interface ContentProps {
  delivery: DeliveryWithTimeline;
  /** Undefined until it is read. */
  notification: Notification | undefined;
}

function Content({ delivery, notification }: ContentProps) {
  const { recipient_id, reason } = delivery;
  const isAboutAddress = reason === 'suppression_list' || reason === 'bad_address' || delivery.state === 'bounced';
  const enabled = useScope('recipients:read') && isAboutAddress && delivery.address === null;
  const recipient = useRead(
    ['recipients', 'one', recipient_id],
    (carillon) => carillon.recipients.get({ path: { id: recipient_id } }),
    { enabled },
  );
  const verdict = verdictOf(delivery, {
    category: notification?.category ?? null,
    templateId: notification?.template_id ?? null,
    address: delivery.address ?? profileAddress(delivery.channel, recipient.data),
    providerAccountId: delivery.provider_account_id,
  });
  return (
    <Stack>
      <VerdictCard
        verdict={verdict}
        dueAt={isFinal(delivery.state) ? null : delivery.due_at}
        actions={<DeliveryActions delivery={delivery} />}
      />
      <Grid gap="xl">
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Title order={2} size="h5" mb="sm">
            What happened
          </Title>
          <Timeline entries={delivery.timeline} />
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 6 }}>
          <Title order={2} size="h5" mb="sm">
            Details
          </Title>
          <DeliveryFields delivery={delivery} notification={notification} />
        </Grid.Col>
      </Grid>
      <CapturedMessage delivery={delivery} />
      <RawJson value={delivery} path={`/api/v1/deliveries/${delivery.id}`} />
    </Stack>
  );
}
