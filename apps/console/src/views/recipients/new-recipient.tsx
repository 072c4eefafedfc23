import { Button, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useNavigate } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { FormDialog } from '../../page/form-dialog';
import { recipientPath } from './recipient-path';

/** Opens the page of an id. Without a profile it shows the form that creates one. */
export function NewRecipient() {
  const [opened, { open, close }] = useDisclosure(false);
  const { linkTo } = useViewContext();
  const navigate = useNavigate();
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        Create a recipient
      </Button>
      <FormDialog
        title="Create a recipient"
        confirm="Continue"
        opened={opened}
        close={close}
        initial={{ id: '' }}
        run={({ id }) => navigate(linkTo(recipientPath(id.trim(), 'profile')))}
      >
        {({ values, set }) => (
          <TextInput
            label="Id"
            description="Your own id for the person. It cannot be changed."
            placeholder="user-17"
            value={values.id}
            onChange={(event) => set({ id: event.currentTarget.value })}
            maxLength={255}
            required
            data-autofocus
          />
        )}
      </FormDialog>
    </>
  );
}
