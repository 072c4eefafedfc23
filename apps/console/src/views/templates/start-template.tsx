import { Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { useScopeOfPage } from '../../api/scope';
import { choicesOf } from '../../list/list-filters';
import { CHANNELS } from './template-fields';

const KINDS = [
  { value: 'template', label: 'Template: it can be sent' },
  { value: 'partial', label: 'Partial: included by templates, {{> key}}' },
  { value: 'layout', label: 'Layout: around the content of templates' },
];

/** Asks what cannot be changed later. */
export function StartTemplate() {
  const [opened, { open, close }] = useDisclosure(false);
  const [place, setPlace] = useState({ key: '', channel: 'email', locale: 'en', kind: 'template' });
  const { linkTo } = useScopeOfPage();
  const navigate = useNavigate();
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        New template
      </Button>
      <Modal opened={opened} onClose={close} title="New template" closeButtonProps={{ 'aria-label': 'Close' }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void navigate(linkTo(`/templates/new?${new URLSearchParams(place)}`));
          }}
        >
          <Stack>
            <TextInput
              label="Key"
              description="Sends name it. It cannot be changed."
              placeholder="order-shipped"
              pattern="[a-zA-Z0-9][a-zA-Z0-9._\-]*"
              title="Letters, digits, dots, dashes and underscores"
              maxLength={255}
              value={place.key}
              onChange={(event) => setPlace({ ...place, key: event.currentTarget.value })}
              required
              data-autofocus
            />
            <Select
              label="Channel"
              data={choicesOf(CHANNELS)}
              value={place.channel}
              onChange={(channel) => channel && setPlace({ ...place, channel })}
              allowDeselect={false}
            />
            <TextInput
              label="Locale"
              description="A language tag such as en or fr-CA"
              value={place.locale}
              onChange={(event) => setPlace({ ...place, locale: event.currentTarget.value })}
              required
            />
            <Select
              label="Kind"
              data={KINDS}
              value={place.kind}
              onChange={(kind) => kind && setPlace({ ...place, kind })}
              allowDeselect={false}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit">Write it</Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
