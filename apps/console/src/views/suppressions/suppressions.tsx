import { Alert, Anchor, Button, Select, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import type { SuppressionsCreateData, SuppressionsListResponse } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { type Filter, instant } from '../../list/list-filters';
import { ConfirmButton } from '../../page/confirm-button';
import { FormDialog } from '../../page/form-dialog';
import { Page } from '../../page/page';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { CHANNEL_CHOICES, channelName } from '../../words/channels';

type Suppression = SuppressionsListResponse['data'][number];

const REASONS: Record<Suppression['reason'], string> = {
  bounced: 'It bounced',
  complained: 'The recipient complained',
  unsubscribed: 'The recipient unsubscribed',
  bad_address: 'The provider refuses it',
  manual: 'Added by hand',
};
const REASON_CHOICES = Object.entries(REASONS).map(([value, label]) => ({ value, label }));

/** Why removing one may be wrong. */
const WARNINGS: Record<Suppression['reason'], string> = {
  bounced: 'It bounced. Sends to addresses that do not exist harm your reputation with providers.',
  complained: 'The recipient reported a message as spam. Sends against their will may break the law.',
  unsubscribed: 'The recipient does not want your messages. Sends against their will may break the law.',
  bad_address: 'The provider has refused it for good. Remove it only if the address works again.',
  manual: 'Somebody has added it by hand.',
};

const filters: readonly Filter[] = [
  { name: 'address', label: 'Address', kind: 'text', placeholder: 'ann@example.com' },
  { name: 'channel', label: 'Channel', kind: 'choice', choices: CHANNEL_CHOICES },
  { name: 'reason', label: 'Reason', kind: 'choice', choices: REASON_CHOICES },
];

export default function Suppressions() {
  const mayWrite = useScope('suppressions:write');
  const columns = useColumns();
  return (
    <Page
      title="Suppressions"
      about="Addresses that get nothing, because they bounced, complained, unsubscribed or were added by hand."
      actions={mayWrite && <AddButton />}
    >
      <List<Suppression>
        name="suppressions"
        columns={columns}
        load={(carillon, query) => carillon.suppressions.list({ query })}
        rowId={({ id }) => id}
        filters={filters}
        {...(mayWrite && { rowActions: (row: Suppression) => <RemoveButton suppression={row} /> })}
        empty={{
          title: 'No suppressed addresses',
          text: 'An address that bounces or complains is listed here, and gets nothing more.',
        }}
      />
    </Page>
  );
}

function useColumns(): readonly Column<Suppression>[] {
  const { linkTo } = useViewContext();
  const mayRead = useScope('notifications:read');
  return [
    { id: 'address', label: 'Address', cell: ({ address }) => address },
    { id: 'channel', label: 'Channel', cell: ({ channel }) => channelName(channel) },
    {
      id: 'reason',
      label: 'Reason',
      cell: ({ reason, delivery_id }) =>
        delivery_id && mayRead ? (
          <Anchor component={Link} to={linkTo(`/deliveries/${delivery_id}`)} size="sm">
            {REASONS[reason]}
          </Anchor>
        ) : (
          REASONS[reason]
        ),
    },
    { id: 'detail', label: 'Detail', cell: ({ detail }) => detail ?? '–' },
    { id: 'created_at', label: 'Since', cell: ({ created_at }) => <Time value={created_at} /> },
    { id: 'expires_at', label: 'Until', cell: ({ expires_at }) => <Time value={expires_at} none="it is removed" /> },
  ];
}

function RemoveButton({ suppression: { id, address, channel, reason } }: { suppression: Suppression }) {
  const remove = useAction({
    run: (carillon) => carillon.suppressions.delete({ path: { id } }),
    done: `${address} gets messages again`,
    changes: ['suppressions'],
  });
  return (
    <ConfirmButton
      size="xs"
      title={`Send to ${address} again?`}
      text={
        <Alert color="orange" title={REASONS[reason]}>
          {WARNINGS[reason]} After this, sends by {channelName(channel)} reach it again.
        </Alert>
      }
      confirm="Remove the suppression"
      run={() => remove.mutateAsync()}
    >
      Remove
    </ConfirmButton>
  );
}

type Body = SuppressionsCreateData['body'];

const EMPTY = { channel: 'email', address: '', reason: 'manual', until: '' };

function AddButton() {
  const [opened, { open, close }] = useDisclosure(false);
  const add = useAction({
    run: (carillon, { until, channel, reason, address }: typeof EMPTY) => {
      const expiry = until ? { expires_at: instant(until) } : {};
      return carillon.suppressions.create({ body: { channel, reason, address, ...expiry } as Body });
    },
    done: ({ address }) => `${address} gets nothing more`,
    changes: ['suppressions'],
    quiet: true,
  });
  return (
    <>
      <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
        Suppress an address
      </Button>
      <FormDialog
        title="Suppress an address"
        confirm="Suppress"
        opened={opened}
        close={close}
        initial={EMPTY}
        run={add.mutateAsync}
      >
        {({ values, set, faultOf }) => (
          <>
            <Select
              label="Channel"
              data={CHANNEL_CHOICES.filter(({ value }) => value !== 'in_app')}
              value={values.channel}
              onChange={(channel) => set({ channel: channel ?? 'email' })}
              error={faultOf('channel')}
              allowDeselect={false}
            />
            <TextInput
              label="Address"
              placeholder="ann@example.com"
              value={values.address}
              onChange={(event) => set({ address: event.currentTarget.value })}
              error={faultOf('address')}
              required
              data-autofocus
            />
            <Select
              label="Reason"
              data={REASON_CHOICES}
              value={values.reason}
              onChange={(reason) => set({ reason: reason ?? 'manual' })}
              error={faultOf('reason')}
              allowDeselect={false}
            />
            <TextInput
              type="datetime-local"
              label="Until"
              description="Empty: until it is removed."
              value={values.until}
              onChange={(event) => set({ until: event.currentTarget.value })}
              error={faultOf('expires_at')}
            />
          </>
        )}
      </FormDialog>
    </>
  );
}
