import { Alert, Button, Group, Modal, Stack } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { type Failure, failureOf, faultAt } from '../api/failures';

interface FormProps<Values> {
  /** The values of the fields when the dialog opens. */
  initial: Values;
  close: () => void;
  /** Of the button that sends the form. */
  confirm: string;
  /** Of the action, which must throw its failure: the form shows it. The dialog closes once it is done. */
  run: (values: Values) => unknown;
  children: (form: Form<Values>) => ReactNode;
}

export interface Form<Values> {
  values: Values;
  set: (changed: Partial<Values>) => void;
  /** The fault of a property of the request's body, or of a value inside it. */
  faultOf: (name: string) => string | undefined;
}

interface FormDialogProps<Values> extends FormProps<Values> {
  title: string;
  opened: boolean;
  size?: string;
}

/** A form in a dialog. Faults are beside their fields, and the whole answer of the API is above the buttons. */
export function FormDialog<Values extends object>(props: FormDialogProps<Values>) {
  const { title, opened, size = 'lg', ...form } = props;
  return (
    <Modal opened={opened} onClose={form.close} title={title} size={size}>
      <FormInside {...form} />
    </Modal>
  );
}

/** A component of its own, because the content of a closed dialog is dropped: it opens with the initial values. */
function FormInside<Values extends object>({ initial, close, confirm, run, children }: FormProps<Values>) {
  const [values, setValues] = useState(initial);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);

  async function submit(): Promise<void> {
    setBusy(true);
    setFailure(null);
    try {
      await run(values);
      close();
    } catch (error) {
      setFailure(failureOf(error));
    }
    setBusy(false);
  }

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <Stack>
        {children({
          values,
          set: (changed) => setValues((before) => ({ ...before, ...changed })),
          faultOf: (name) => failure?.fields && faultAt(failure.fields, `/${name}`),
        })}
        {failure && (
          <Alert color="red" role="alert" title={failure.title}>
            {failure.text}
          </Alert>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={busy}>
            {confirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
