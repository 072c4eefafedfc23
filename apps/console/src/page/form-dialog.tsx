import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { type Failure, failureOf } from '../api/failures';

interface FormDialogProps {
  title: string;
  opened: boolean;
  close: () => void;
  /** Of the button that sends the form. */
  confirm: string;
  /** Of the action, which must throw its failure: the form shows it. The dialog closes once it is done. */
  run: () => Promise<unknown>;
  size?: string;
  /** Gets a function that returns the fault of a field by its JSON pointer without the first `/`. */
  children: (faultOf: (pointer: string) => string | undefined) => ReactNode;
}

/** A form in a dialog. Faults are beside their fields, and the whole answer of the API is above the buttons. */
export function FormDialog({ title, opened, close, confirm, run, size = 'lg', children }: FormDialogProps) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);

  function dismiss(): void {
    setFailure(null);
    close();
  }

  async function submit(): Promise<void> {
    setBusy(true);
    setFailure(null);
    await run().then(close, (error: unknown) => setFailure(failureOf(error)));
    setBusy(false);
  }

  return (
    <Modal opened={opened} onClose={dismiss} title={title} size={size} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Stack>
          {children((pointer) => failure?.fields[`/${pointer}`])}
          {failure && (
            <Alert color="red" role="alert" title={failure.title}>
              {failure.text}
            </Alert>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={dismiss}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              {confirm}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
