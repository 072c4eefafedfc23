import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { Page } from '../../page/page';
import { SecretDialog } from '../../page/secret-dialog';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import type { Endpoint } from './endpoint';
import { EndpointForm, type EndpointValues } from './endpoint-form';
import { EndpointHealth } from './endpoint-health';

const columns: readonly Column<Endpoint>[] = [
  { id: 'url', label: 'URL', cell: ({ url }) => url },
  { id: 'description', label: 'Description', cell: ({ description }) => description ?? '–' },
  { id: 'events', label: 'Events', cell: ({ events }) => eventsInWords(events) },
  { id: 'health', label: 'Health', cell: (endpoint) => <EndpointHealth endpoint={endpoint} /> },
  { id: 'created_at', label: 'Created', cell: ({ created_at }) => <Time value={created_at} /> },
];

export function eventsInWords(events: readonly string[]): string {
  if (events.includes('*')) return 'all';
  return events.length > 2 ? `${events.slice(0, 2).join(', ')} and ${events.length - 2} more` : events.join(', ');
}

export function EndpointList() {
  const { linkTo } = useViewContext();
  const mayWrite = useScope('webhooks:write');
  return (
    <Page
      title="Webhooks"
      about="Endpoints of yours that get each event of a delivery, a notification or an inbox as an HTTP call."
      actions={mayWrite && <CreateButton />}
    >
      <List<Endpoint>
        name="webhooks"
        columns={columns}
        load={(carillon, query) => carillon.webhooks.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/webhooks/${id}`)}
        empty={{
          title: 'No endpoints yet',
          text: 'Create one, and Carillon calls it for each event: sent, delivered, bounced, failed and others.',
        }}
      />
    </Page>
  );
}

function CreateButton() {
  const [opened, { open, close }] = useDisclosure(false);
  const [secret, setSecret] = useState<string | null>(null);
  const create = useAction({
    run: (carillon, body: EndpointValues) => carillon.webhooks.create({ body }),
    changes: ['webhooks'],
    onDone: (endpoint) => setSecret(endpoint.secret),
    quiet: true,
  });
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        Create an endpoint
      </Button>
      <EndpointForm
        title="Create an endpoint"
        confirm="Create"
        opened={opened}
        close={close}
        save={create.mutateAsync}
      />
      <SecretDialog
        title="The endpoint is created"
        secret={secret}
        text="With this secret your endpoint verifies that a call is from Carillon."
        close={() => setSecret(null)}
      />
    </>
  );
}
