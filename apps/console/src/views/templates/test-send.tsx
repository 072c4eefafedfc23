import { Alert, Anchor, Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconSend } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import type { Notification, Template } from '#client';
import { failureOf } from '../../api/failures';
import { useAction, useViewContext } from '../../api/view-context';
import { JsonField, parseObject, toJsonText } from '../../page/json-field';
import { LoadError } from '../../page/load-error';

/** An example for the channels whose address can be given. */
const ADDRESSES: Record<string, string> = { email: 'ann@example.com', sms: '+15005550000' };

/** Sends the saved version to one recipient, as a program would. */
export function TestSend({ template }: { template: Template }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button variant="default" leftSection={<IconSend size={16} aria-hidden />} onClick={open}>
        Test send
      </Button>
      <Modal opened={opened} onClose={close} title="Test send">
        <SendForm template={template} />
      </Modal>
    </>
  );
}

function SendForm({ template }: { template: Template }) {
  const { id, channel, version, sample_payload } = template;
  const [recipient, setRecipient] = useState('');
  const [address, setAddress] = useState('');
  const [payload, setPayload] = useState(() => toJsonText(sample_payload ?? {}));
  const values = parseObject(payload);
  const send = useAction<Record<string, unknown>, Notification>({
    run: (carillon, given) => {
      const to = address.trim() && { recipient_address: address.trim() };
      const named = { recipient_id: recipient.trim(), channel, template_id: id, type: 'console.test' };
      return carillon.notifications.send({ body: { ...named, payload: given, ...to } });
    },
    changes: ['notifications', 'deliveries'],
    quiet: true,
  });
  const faults = send.error ? failureOf(send.error).fields : {};
  if (send.data) return <Accepted notification={send.data} />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (typeof values !== 'string') send.mutate(values);
      }}
    >
      <Stack>
        <Text size="sm">
          Version {version}, as it is saved, through the provider accounts of this tenant. Preferences and limits of the
          recipient hold.
        </Text>
        <TextInput
          label="Recipient"
          placeholder="user-17"
          value={recipient}
          onChange={(event) => setRecipient(event.currentTarget.value)}
          error={faults['/recipient_id']}
          required
          data-autofocus
        />
        {ADDRESSES[channel] && (
          <TextInput
            label="Address"
            description="Empty: the one of the recipient"
            placeholder={ADDRESSES[channel]}
            value={address}
            onChange={(event) => setAddress(event.currentTarget.value)}
            error={faults['/recipient_address']}
          />
        )}
        <JsonField label="Payload" value={payload} onChange={setPayload} error={faults['/payload']} />
        {send.error && <LoadError error={send.error} />}
        <Group justify="flex-end">
          <Button type="submit" loading={send.isPending}>
            Send
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Accepted({ notification: { deliveries } }: { notification: Notification }) {
  const { linkTo } = useViewContext();
  const [delivery] = deliveries;
  return (
    <Alert color="teal" role="status" title="Accepted">
      <Text size="sm">The delivery shows each step, and the answer of the provider.</Text>
      {delivery && (
        <Anchor component={Link} to={linkTo(`/deliveries/${delivery.id}`)}>
          Watch the delivery
        </Anchor>
      )}
    </Alert>
  );
}
