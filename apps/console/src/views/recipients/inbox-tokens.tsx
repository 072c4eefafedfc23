import { Button, Group, Modal, NumberInput, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import type { InboxToken } from '#client';
import { useAction } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { Identifier } from '../../page/identifier';

const DEFAULT_MINUTES = 10;
const MAX_MINUTES = 60;

/** Creates a token, to see the inbox as the recipient does, and revokes all of them. */
export function InboxTokens({ id }: { id: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  const [minutes, setMinutes] = useState(DEFAULT_MINUTES);
  const create = useAction<number, InboxToken>({
    run: (carillon, ttl_seconds) => carillon.recipients.inboxToken({ path: { id }, body: { ttl_seconds } }),
  });
  const revoke = useAction({
    run: (carillon) => carillon.recipients.revokeTokens({ path: { id } }),
    done: 'All inbox tokens of this recipient are revoked',
  });
  return (
    <Group gap="xs">
      <Button
        variant="default"
        onClick={() => {
          create.reset();
          open();
        }}
      >
        Create an inbox token
      </Button>
      <ConfirmButton
        title="Revoke all inbox tokens?"
        text="Open inboxes of this recipient are closed within five seconds. Your app can create new tokens at once."
        confirm="Revoke"
        run={() => revoke.mutateAsync()}
      >
        Revoke tokens
      </ConfirmButton>
      <Modal opened={opened} onClose={close} title="Inbox token">
        {create.data ? (
          <Stack>
            <Text size="sm">
              {`It is shown once and expires in ${Math.round(create.data.expires_in / 60)} minutes. `}
              {`It opens the inbox of ${id} and nothing else.`}
            </Text>
            <Identifier value={create.data.token} what="token" />
          </Stack>
        ) : (
          <Stack>
            <NumberInput
              label="Minutes until it expires"
              value={minutes}
              onChange={(value) => setMinutes(Number(value) || DEFAULT_MINUTES)}
              min={1}
              max={MAX_MINUTES}
              allowDecimal={false}
            />
            <Group justify="flex-end">
              <Button loading={create.isPending} onClick={() => create.mutate(minutes * 60)}>
                Create
              </Button>
            </Group>
          </Stack>
        )}
      </Modal>
    </Group>
  );
}
