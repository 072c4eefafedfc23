import { Button, Select, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useNavigate } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { FormDialog } from '../../page/form-dialog';
import { CHANNEL_CHOICES } from '../../words/channels';

const KINDS = [
  { value: 'template', label: 'Template: it can be sent' },
  { value: 'partial', label: 'Partial: included by templates, {{> key}}' },
  { value: 'layout', label: 'Layout: around the content of templates' },
];

const NEW_PLACE = { key: '', channel: 'email', locale: 'en', kind: 'template' };

/** Asks what cannot be changed later. */
export function StartTemplate() {
  const [opened, { open, close }] = useDisclosure(false);
  const { linkTo } = useViewContext();
  const navigate = useNavigate();
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        Create a template
      </Button>
      <FormDialog
        title="Create a template"
        confirm="Continue"
        opened={opened}
        close={close}
        initial={NEW_PLACE}
        run={(place) => navigate(linkTo(`/templates/new?${new URLSearchParams(place)}`))}
      >
        {({ values, set }) => (
          <>
            <TextInput
              label="Key"
              description="Sends refer to it by this key. It cannot be changed."
              placeholder="order-shipped"
              pattern="[a-zA-Z0-9][a-zA-Z0-9._\-]*"
              title="Letters, digits, dots, dashes and underscores"
              maxLength={255}
              value={values.key}
              onChange={(event) => set({ key: event.currentTarget.value })}
              required
              data-autofocus
            />
            <Select
              label="Channel"
              data={CHANNEL_CHOICES}
              value={values.channel}
              onChange={(channel) => channel && set({ channel })}
              allowDeselect={false}
            />
            <TextInput
              label="Locale"
              description="A language tag such as en or fr-CA"
              value={values.locale}
              onChange={(event) => set({ locale: event.currentTarget.value })}
              required
            />
            <Select
              label="Kind"
              data={KINDS}
              value={values.kind}
              onChange={(kind) => kind && set({ kind })}
              allowDeselect={false}
            />
          </>
        )}
      </FormDialog>
    </>
  );
}
