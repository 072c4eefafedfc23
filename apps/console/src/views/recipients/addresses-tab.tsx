import { Badge, Button, Group, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import type { DeviceBody } from '#client';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { DataTable } from '../../page/data-table';
import { Empty } from '../../page/empty';
import { Fields } from '../../page/fields';
import { FormDialog } from '../../page/form-dialog';
import { Identifier } from '../../page/identifier';
import { Loaded } from '../../page/page';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { useProfile } from './read-profile';

export function AddressesTab({ id }: { id: string }) {
  const profile = useProfile(id);
  return (
    <Loaded query={profile}>
      {(data) => (
        <Stack maw={860}>
          <Title order={2} size="h4">
            Addresses
          </Title>
          <Fields
            fields={[
              ['E-mail', <Address key="email" value={data?.email ?? null} />],
              ['Phone', <Address key="phone" value={data?.phone ?? null} />],
            ]}
          />
          {data === null ? <Empty title="No devices">A device needs a profile.</Empty> : <Devices id={id} />}
        </Stack>
      )}
    </Loaded>
  );
}

function Address({ value }: { value: string | null }) {
  const { linkTo } = useViewContext();
  const maySeeList = useScope('suppressions:read');
  if (value === null) return <Text size="sm">None. Messages on this channel fail with the reason “no address”.</Text>;
  return (
    <Group gap="sm">
      <Identifier value={value} what="address" />
      {maySeeList && (
        <Button
          component={Link}
          to={linkTo(`/suppressions?${new URLSearchParams({ address: value })}`)}
          size="compact-xs"
          variant="default"
        >
          Look in the suppression list
        </Button>
      )}
    </Group>
  );
}

const PLATFORMS = { ios: 'iOS', android: 'Android', web: 'Web' };

function Devices({ id }: { id: string }) {
  const mayWrite = useScope('recipients:write');
  const devices = useRead(['recipients', 'devices', id], (carillon, signal) =>
    carillon.recipients.devices({ path: { id }, signal }),
  );
  return (
    <>
      <Group justify="space-between">
        <Title order={2} size="h4">
          Devices
        </Title>
        {mayWrite && <AddDevice id={id} />}
      </Group>
      <Loaded query={devices}>
        {({ data }) =>
          data.length === 0 ? (
            <Empty title="No devices">Push messages fail with the reason “no address” until your app adds one.</Empty>
          ) : (
            <DataTable
              label="Devices"
              head={['Platform', 'Token', 'Last seen', 'Added', ...(mayWrite ? ['Actions'] : [])]}
              rows={data.map(({ token, platform, created_at, last_seen_at }) => ({
                id: token,
                cells: [
                  <Badge key="platform" variant="light" color="gray" tt="none">
                    {PLATFORMS[platform]}
                  </Badge>,
                  <Identifier key="token" value={token} what="token" />,
                  <Time key="seen" value={last_seen_at} />,
                  <Time key="added" value={created_at} />,
                  ...(mayWrite ? [<RemoveDevice key="remove" id={id} token={token} />] : []),
                ],
              }))}
            />
          )
        }
      </Loaded>
    </>
  );
}

function RemoveDevice({ id, token }: { id: string; token: string }) {
  const remove = useAction({
    run: (carillon) => carillon.recipients.removeDevice({ path: { id, token } }),
    done: 'The device is removed',
    changes: ['recipients'],
  });
  return (
    <ConfirmButton
      size="xs"
      title="Remove this device?"
      text="It gets no more push messages, unless your app adds it again."
      confirm="Remove"
      run={() => remove.mutateAsync()}
    >
      Remove
    </ConfirmButton>
  );
}

const NEW_DEVICE: DeviceBody = { token: '', platform: 'web' };

function AddDevice({ id }: { id: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  const add = useAction<DeviceBody>({
    run: (carillon, body) => carillon.recipients.addDevice({ path: { id }, body }),
    done: 'The device is added',
    changes: ['recipients'],
    quiet: true,
  });
  return (
    <>
      <Button variant="default" size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>
        Add a device
      </Button>
      <FormDialog
        title="Add a device"
        confirm="Add"
        opened={opened}
        close={close}
        initial={NEW_DEVICE}
        run={add.mutateAsync}
      >
        {({ values, set, faultOf }) => (
          <>
            <Select
              label="Platform"
              data={Object.entries(PLATFORMS).map(([value, label]) => ({ value, label }))}
              value={values.platform}
              onChange={(platform) => platform && set({ platform: platform as DeviceBody['platform'] })}
              allowDeselect={false}
              error={faultOf('platform')}
            />
            <TextInput
              label="Token"
              description="Of FCM, or the subscription of a browser as JSON"
              value={values.token}
              onChange={(event) => set({ token: event.currentTarget.value })}
              error={faultOf('token')}
              required
              data-autofocus
            />
          </>
        )}
      </FormDialog>
    </>
  );
}
