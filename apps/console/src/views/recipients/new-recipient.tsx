import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useScopeOfPage } from '../../api/scope';
import { recipientPath } from './recipient-path';

/** Opens the page of an id. Without a profile it shows the form that creates one. */
export function NewRecipient() {
  const [opened, { open, close }] = useDisclosure(false);
  const [id, setId] = useState('');
  const { linkTo } = useScopeOfPage();
  const navigate = useNavigate();
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        New recipient
      </Button>
      <Modal opened={opened} onClose={close} title="New recipient" closeButtonProps={{ 'aria-label': 'Close' }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void navigate(linkTo(recipientPath(id.trim(), 'profile')));
          }}
        >
          <Stack>
            <TextInput
              label="Id"
              description="Your own id for the person. It cannot be changed."
              placeholder="user-17"
              value={id}
              onChange={(event) => setId(event.currentTarget.value)}
              maxLength={255}
              required
              data-autofocus
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit">Go on</Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
