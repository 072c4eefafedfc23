import { Alert, Anchor, Grid, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import type { SendNotification } from '#client';
import { failureOf } from '../../api/failures';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { Empty } from '../../page/empty';
import { LoadError } from '../../page/load-error';
import { Loaded, Page } from '../../page/page';
import { type Draft, draftOf, EMPTY_DRAFT, faultsByField, toSend } from './explain-draft';
import { ExplainForm } from './explain-form';
import { Explanation } from './explanation';

/** What would become of a send, without sending it. `?delivery=` fills the form from a delivery. */
export default function Explain() {
  const [parameters] = useSearchParams();
  const deliveryId = parameters.get('delivery');
  const draft = useRead(
    ['explain', deliveryId],
    async (carillon) => {
      const delivery = await carillon.deliveries.get({ path: { id: deliveryId! } });
      const notification = await carillon.notifications.get({ path: { id: delivery.notification_id } });
      return draftOf(delivery, notification);
    },
    { enabled: deliveryId !== null },
  );
  return (
    <Page
      title="Explain"
      about="What would become of a send, and which setting decides. Nothing is stored and nothing is sent."
    >
      {deliveryId === null ? (
        <Question draft={{ ...EMPTY_DRAFT, recipientId: parameters.get('recipient_id') ?? '' }} />
      ) : (
        <Loaded query={draft}>{(filled) => <Question key={deliveryId} draft={filled} from={deliveryId} />}</Loaded>
      )}
    </Page>
  );
}

function Question({ draft, from }: { draft: Draft; from?: string }) {
  const { linkTo } = useViewContext();
  const [sent, setSent] = useState<SendNotification | null>(null);
  const explain = useAction({
    run: (carillon, body: SendNotification) => carillon.notifications.explain({ body }),
    quiet: true,
  });
  const faults = explain.error ? faultsByField(failureOf(explain.error).fields) : {};
  const hasFields = Object.keys(faults).length > 0;
  return (
    <Grid gap="xl">
      <Grid.Col span={{ base: 12, md: 5 }}>
        {from !== undefined && (
          <Alert variant="light" mb="md">
            Filled from{' '}
            <Anchor component={Link} to={linkTo(`/deliveries/${from}`)} inherit>
              a delivery
            </Anchor>
            . Its content and payload are not shown: add them to see the rendered message.
          </Alert>
        )}
        <ExplainForm
          draft={draft}
          faults={faults}
          isBusy={explain.isPending}
          submit={(edited) => {
            const body = toSend(edited);
            setSent(body);
            explain.mutate(body);
          }}
        />
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 7 }}>
        <Stack aria-live="polite">
          {explain.error && (hasFields ? <FieldsToCorrect /> : <LoadError error={explain.error} />)}
          {explain.data && sent && <Explanation explanation={explain.data} sent={sent} />}
          {!explain.data && !explain.error && (
            <Empty title="No answer yet">Fill in the form; the answer appears here, step by step.</Empty>
          )}
        </Stack>
      </Grid.Col>
    </Grid>
  );
}

function FieldsToCorrect() {
  return (
    <Alert color="red" role="alert" title="A send like this is not accepted">
      <Text size="sm">The API would answer it with 422. Correct the fields that are marked.</Text>
    </Alert>
  );
}
