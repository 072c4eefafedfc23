import { Badge, Button, Group, Modal, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { CarillonError, type DeviceBody } from '#client';
import { failureOf } from '../../api/failures';
import { useAction, useRead, useScopeOfPage } from '../../api/scope';
import { ConfirmButton } from '../../page/confirm-button';
import { Empty } from '../../page/empty';
import { Fields } from '../../page/fields';
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
  const { linkTo } = useScopeOfPage();
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
  const remove = useAction<string>({
    run: (carillon, token) => carillon.recipients.removeDevice({ path: { id, token } }),
    done: 'The device is removed',
    changes: ['recipients'],
  });
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
            <Table className="list" aria-label="Devices">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th scope="col">Platform</Table.Th>
                  <Table.Th scope="col">Token</Table.Th>
                  <Table.Th scope="col">Last seen</Table.Th>
                  <Table.Th scope="col">Added</Table.Th>
                  {mayWrite && <Table.Th scope="col">Actions</Table.Th>}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.map(({ token, platform, created_at, last_seen_at }) => (
                  <Table.Tr key={token}>
                    <Table.Td data-label="Platform">
                      <Badge variant="light" color="gray" tt="none">
                        {PLATFORMS[platform]}
                      </Badge>
                    </Table.Td>
                    <Table.Td data-label="Token">
                      <Identifier value={token} what="token" />
                    </Table.Td>
                    <Table.Td data-label="Last seen">
                      <Time value={last_seen_at} />
                    </Table.Td>
                    <Table.Td data-label="Added">
                      <Time value={created_at} />
                    </Table.Td>
                    {mayWrite && (
                      <Table.Td data-label="">
                        <ConfirmButton
                          size="xs"
                          title="Remove this device?"
                          text="It gets no more push messages, unless your app adds it again."
                          confirm="Remove"
                          run={() => remove.mutateAsync(token)}
                        >
                          Remove
                        </ConfirmButton>
                      </Table.Td>
                    )}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          )
        }
      </Loaded>
    </>
  );
}

function AddDevice({ id }: { id: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  const [body, setBody] = useState<DeviceBody>({ token: '', platform: 'web' });
  const add = useAction<DeviceBody>({
    run: (carillon, device) => carillon.recipients.addDevice({ path: { id }, body: device }),
    done: 'The device is added',
    changes: ['recipients'],
    onDone: close,
    quiet: true,
  });
  const fault = add.error && (failureOf(add.error).fields['/token'] ?? failureOf(add.error).text);
  return (
    <>
      <Button variant="default" size="xs" leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>
        Add a device
      </Button>
      <Modal opened={opened} onClose={close} title="Add a device" closeButtonProps={{ 'aria-label': 'Close' }}>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate(body);
          }}
        >
          <Stack>
            <Select
              label="Platform"
              data={Object.entries(PLATFORMS).map(([value, label]) => ({ value, label }))}
              value={body.platform}
              onChange={(platform) => platform && setBody({ ...body, platform: platform as DeviceBody['platform'] })}
              allowDeselect={false}
            />
            <TextInput
              label="Token"
              description="Of FCM, or the subscription of a browser as JSON"
              value={body.token}
              onChange={(event) => setBody({ ...body, token: event.currentTarget.value })}
              error={add.error instanceof CarillonError ? fault : undefined}
              required
              data-autofocus
            />
            <Group justify="flex-end">
              <Button type="submit" loading={add.isPending}>
                Add
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
