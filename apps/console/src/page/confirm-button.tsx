import { Button, type ButtonProps, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { type ReactNode, useState } from 'react';

interface ConfirmButtonProps extends ButtonProps {
  children: ReactNode;
  /** The question, such as "Erase user-17?". */
  title: string;
  /** The consequence, and whether it can be undone. */
  text: ReactNode;
  /** Of the button that does it. By default the text of the first button. */
  confirm?: string;
  /** Must be typed first; for what cannot be undone. */
  typed?: string;
  /** Of the action. The dialog closes once it is done. */
  run: () => Promise<unknown>;
}

/** A button that asks before it acts. */
export function ConfirmButton(props: ConfirmButtonProps) {
  const { children, title, text, confirm, typed, run, ...button } = props;
  const [opened, { open, close }] = useDisclosure(false);
  const [entered, setEntered] = useState('');
  const [busy, setBusy] = useState(false);
  async function act(): Promise<void> {
    setBusy(true);
    // The action itself shows its failure; the dialog stays open for another try.
    await run().then(close, () => undefined);
    setBusy(false);
  }
  return (
    <>
      <Button variant="default" {...button} onClick={open}>
        {children}
      </Button>
      <Modal opened={opened} onClose={close} title={title} centered>
        <Stack>
          <Text size="sm">{text}</Text>
          {typed !== undefined && (
            <TextInput
              label={`Type ${typed} to confirm`}
              value={entered}
              onChange={(event) => setEntered(event.currentTarget.value)}
            />
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button
              color={button.color ?? 'red.9'}
              loading={busy}
              disabled={typed !== undefined && entered !== typed}
              // The second click of a double click on the button that has opened the dialog confirms nothing.
              onClick={({ detail }) => detail < 2 && void act()}
            >
              {confirm ?? children}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
