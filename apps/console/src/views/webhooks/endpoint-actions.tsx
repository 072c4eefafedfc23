import { Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconEdit, IconKey } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useAction, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { SecretDialog } from '../../page/secret-dialog';
import { wholeTime } from '../../page/time';
import type { Endpoint } from './endpoint';
import { EndpointForm, type EndpointValues } from './endpoint-form';

export function EndpointActions({ endpoint }: { endpoint: Endpoint }) {
  const { id, enabled } = endpoint;
  const { linkTo } = useViewContext();
  const navigate = useNavigate();
  const changes = ['webhooks'];
  const enable = useAction({
    run: (carillon, wanted: boolean) => carillon.webhooks.update({ path: { id }, body: { enabled: wanted } }),
    done: (answer) => (answer.enabled ? 'The endpoint is enabled' : 'The endpoint is disabled'),
    changes,
  });
  const remove = useAction({
    run: (carillon) => carillon.webhooks.delete({ path: { id } }),
    done: 'The endpoint is deleted',
    changes,
    removes: ['webhooks', 'one', id],
    onDone: () => navigate(linkTo('/webhooks'), { replace: true }),
  });
  return (
    <Group gap="xs">
      <EditButton endpoint={endpoint} />
      <RotateButton id={id} />
      {enabled ? (
        <ConfirmButton
          title="Disable this endpoint?"
          text="It gets no events until it is enabled again. You can send it the missing ones then, for seven days."
          run={() => enable.mutateAsync(false)}
        >
          Disable
        </ConfirmButton>
      ) : (
        <Button loading={enable.isPending} onClick={() => enable.mutate(true)}>
          Enable
        </Button>
      )}
      <ConfirmButton
        title="Delete this endpoint?"
        text="Its waiting deliveries fail. This cannot be undone."
        typed="delete"
        run={() => remove.mutateAsync()}
      >
        Delete
      </ConfirmButton>
    </Group>
  );
}

function EditButton({ endpoint }: { endpoint: Endpoint }) {
  const [opened, { open, close }] = useDisclosure(false);
  const update = useAction({
    run: (carillon, body: EndpointValues) => carillon.webhooks.update({ path: { id: endpoint.id }, body }),
    done: 'The endpoint is saved',
    changes: ['webhooks'],
    quiet: true,
  });
  return (
    <>
      <Button variant="default" leftSection={<IconEdit size={16} aria-hidden />} onClick={open}>
        Edit
      </Button>
      <EndpointForm
        title="Edit the endpoint"
        confirm="Save"
        opened={opened}
        close={close}
        endpoint={endpoint}
        save={update.mutateAsync}
      />
    </>
  );
}

function RotateButton({ id }: { id: string }) {
  const [made, setMade] = useState<{ secret: string; old_secret_valid_until: string } | null>(null);
  const rotate = useAction({
    run: (carillon) => carillon.webhooks.rotate({ path: { id } }),
    onDone: setMade,
  });
  return (
    <>
      <ConfirmButton
        title="Rotate the secret?"
        text="Creates a new secret. Calls are also signed with the old one for a day."
        color="indigo"
        leftSection={<IconKey size={16} aria-hidden />}
        run={() => rotate.mutateAsync()}
      >
        Rotate the secret
      </ConfirmButton>
      <SecretDialog
        title="The new secret"
        secret={made?.secret ?? null}
        text={made ? `Calls are also signed with the old one until ${wholeTime(made.old_secret_valid_until)}.` : ''}
        close={() => setMade(null)}
      />
    </>
  );
}
