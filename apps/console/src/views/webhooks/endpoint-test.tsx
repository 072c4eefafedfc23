import { Alert, Anchor, Button, Group, Loader, Stack, Text } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import type { DeliveriesGetResponse } from '#client';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { DataTable } from '../../page/data-table';
import { Loaded } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import type { Endpoint } from './endpoint';

const LIVE_MS = 700;

/** Sends a test event and shows its attempts until it has ended. */
export function EndpointTest({ endpoint }: { endpoint: Endpoint }) {
  const [sent, setSent] = useState<string | null>(null);
  const mayRead = useScope('notifications:read');
  const test = useAction({
    run: (carillon) => carillon.webhooks.test({ path: { id: endpoint.id } }),
    done: 'A test event is on its way',
    changes: ['webhook_deliveries'],
    onDone: ({ delivery_id }) => setSent(delivery_id),
  });
  return (
    <Stack align="flex-start">
      <Text size="sm">An event of the type webhook.test is sent to {endpoint.url}, signed like any other.</Text>
      <Button
        leftSection={<IconSend size={16} aria-hidden />}
        loading={test.isPending}
        disabled={!endpoint.enabled}
        onClick={() => test.mutate()}
      >
        Send a test event
      </Button>
      {!endpoint.enabled && <Text size="sm">Enable the endpoint first.</Text>}
      {sent && mayRead && <Result key={sent} id={sent} />}
    </Stack>
  );
}

function Result({ id }: { id: string }) {
  const { linkTo } = useViewContext();
  const query = useRead(['deliveries', 'one', id], (carillon) => carillon.deliveries.get({ path: { id } }), {
    refreshMs: LIVE_MS,
  });
  return (
    <Loaded query={query}>
      {(delivery) => (
        <Stack w="100%" role="status">
          <Verdict delivery={delivery} />
          <Attempts delivery={delivery} />
          <Anchor component={Link} to={linkTo(`/deliveries/${id}`)} size="sm">
            Timeline of this delivery
          </Anchor>
        </Stack>
      )}
    </Loaded>
  );
}

function Verdict({ delivery: { state, reason, attempts } }: { delivery: DeliveriesGetResponse }) {
  if (state === 'sent' || state === 'delivered')
    return (
      <Alert color="green" title="The endpoint has accepted it">
        It answered with a status from 200 to 299.
      </Alert>
    );
  if (state === 'failed' || state === 'cancelled' || state === 'expired' || state === 'unknown')
    return (
      <Alert color="red" title="The endpoint has not accepted it">
        The delivery is {state}
        {reason && `: ${inWords(reason)}`}.
      </Alert>
    );
  if (attempts > 0)
    return (
      <Alert color="orange" title="The endpoint has not accepted it yet">
        Carillon tries again. The last attempt below says why it failed.
      </Alert>
    );
  return (
    <Group gap="xs">
      <Loader size="xs" aria-hidden />
      <Text size="sm">Waiting for the answer</Text>
    </Group>
  );
}

function Attempts({ delivery }: { delivery: DeliveriesGetResponse }) {
  const attempts = delivery.timeline.filter(({ attempt, outcome }) => attempt !== null && outcome !== null);
  if (attempts.length === 0) return null;
  return (
    <DataTable
      label="Attempts"
      head={['Attempt', 'Outcome', 'Answer', 'Took', 'At']}
      rows={attempts.map(({ at, attempt, outcome, provider_code, detail, duration_ms }) => ({
        id: at,
        cells: [
          attempt,
          inWords(outcome ?? ''),
          [provider_code, detail].filter(Boolean).join(': ') || '–',
          duration_ms === null ? '–' : `${duration_ms} ms`,
          <Time key="at" value={at} />,
        ],
      }))}
      withTableBorder
    />
  );
}
