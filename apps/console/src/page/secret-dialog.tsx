import { Alert, Button, CopyButton, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

interface SecretDialogProps {
  title: string;
  /** Null while there is none to show. */
  secret: string | null;
  /** The purpose of the secret, and whether an older one is still valid. */
  text: string;
  close: () => void;
}

/** A secret that the API shows once. A click beside the dialog does not close it. */
export function SecretDialog({ title, secret, text, close }: SecretDialogProps) {
  return (
    <Modal
      opened={secret !== null}
      onClose={close}
      title={title}
      size="lg"
      closeOnClickOutside={false}
      withCloseButton={false}
    >
      <Stack>
        <Alert color="orange" title="Copy it now: it is not shown again">
          {text}
        </Alert>
        <CopyButton value={secret ?? ''}>
          {({ copied, copy }) => (
            <Group align="flex-end" wrap="nowrap">
              <TextInput
                label="Secret"
                value={secret ?? ''}
                readOnly
                flex={1}
                ff="monospace"
                onFocus={(event) => event.currentTarget.select()}
              />
              <Button
                onClick={copy}
                leftSection={copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
              >
                {copied ? 'Copied' : 'Copy'}
              </Button>
            </Group>
          )}
        </CopyButton>
        <Group justify="space-between">
          <Text size="sm" c="dimmed">
            Store it where your program reads its secrets.
          </Text>
          <Button variant="default" onClick={close}>
            I have stored it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
