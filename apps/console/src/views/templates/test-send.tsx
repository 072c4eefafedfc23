import { Alert, Anchor, Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconSend } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import type { Notification, Template } from '#client';
import { failureOf } from '../../api/failures';
import { useAction, useScopeOfPage } from '../../api/scope';
import { JsonField, parseObject, toJsonText } from '../../page/json-field';
import { LoadError } from '../../page/load-error';

const NEEDS_ADDRESS = { email: 'An e-mail address', sms: 'A phone number such as +15005550000' } as Record<
  string,
  string
>;

/** Sends the saved version to one recipient, as a program would. */
export function TestSend({ template }: { template: Template }) {
  const { id, channel, version, sample_payload } = template;
  const { linkTo } = useScopeOfPage();
  const [opened, { open, close }] = useDisclosure(false);
  const [recipient, setRecipient] = useState('');
  const [address, setAddress] = useState('');
  const [payload, setPayload] = useState(() => toJsonText(sample_payload ?? {}));
  const values = parseObject(payload);
  const send = useAction<void, Notification>({
    run: (carillon) =>
      carillon.notifications.send({
        body: {
          recipient_id: recipient.trim(),
          channel,
          template_id: id,
          payload: typeof values === 'string' ? {} : values,
          type: 'console.test',
          ...(address.trim() && { recipient_address: address.trim() }),
        },
      }),
    changes: ['notifications', 'deliveries'],
    quiet: true,
  });
  const failure = send.error ? failureOf(send.error) : null;
  const delivery = send.data?.deliveries[0];
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconSend size={16} aria-hidden />}
        onClick={() => {
          send.reset();
          open();
        }}
      >
        Test send
      </Button>
      <Modal opened={opened} onClose={close} title="Test send" closeButtonProps={{ 'aria-label': 'Close' }}>
        {send.data ? (
          <Alert color="teal" role="status" title="Accepted">
            <Text size="sm">The delivery shows each step, and the answer of the provider.</Text>
            {delivery && (
              <Anchor component={Link} to={linkTo(`/deliveries/${delivery.id}`)}>
                Watch the delivery
              </Anchor>
            )}
          </Alert>
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (typeof values !== 'string') send.mutate();
            }}
          >
            <Stack>
              <Text size="sm">
                Version {version}, as it is saved, through the provider accounts of this tenant. Preferences and limits
                of the recipient hold.
              </Text>
              <TextInput
                label="Recipient"
                placeholder="user-17"
                value={recipient}
                onChange={(event) => setRecipient(event.currentTarget.value)}
                error={failure?.fields['/recipient_id']}
                required
                data-autofocus
              />
              {NEEDS_ADDRESS[channel] && (
                <TextInput
                  label="Address"
                  description="Empty: the one of the recipient"
                  placeholder={NEEDS_ADDRESS[channel]}
                  value={address}
                  onChange={(event) => setAddress(event.currentTarget.value)}
                  error={failure?.fields['/recipient_address']}
                />
              )}
              <JsonField label="Payload" value={payload} onChange={setPayload} error={failure?.fields['/payload']} />
              {send.error && <LoadError error={send.error} />}
              <Group justify="flex-end">
                <Button type="submit" loading={send.isPending}>
                  Send
                </Button>
              </Group>
            </Stack>
          </form>
        )}
      </Modal>
    </>
  );
}
