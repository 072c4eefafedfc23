import { ActionIcon, Anchor, Button, Group, Paper, Stack, Switch, Table, Text, Title } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import { useAction, useRead, useScopeOfPage } from '../../api/scope';
import { Empty } from '../../page/empty';
import { Loaded, Page } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { AccountHealth } from './account-health';
import { inOrder, movesOf } from './account-order';
import { type Account, accountRoutes, useMayWriteAccounts } from './account-routes';

const REFRESH_MS = 10_000;

export function AccountList() {
  const { tenantId, linkTo } = useScopeOfPage();
  const mayWrite = useMayWriteAccounts();
  const isPlatform = tenantId === null;
  const accounts = useRead(
    ['provider_accounts', 'list'],
    (carillon, signal) => accountRoutes(carillon, isPlatform).list(signal),
    { refreshMs: REFRESH_MS },
  );
  const add = mayWrite && (
    <Button component={Link} to={linkTo('/provider-accounts/new')} leftSection={<IconPlus size={16} aria-hidden />}>
      New account
    </Button>
  );
  return (
    <Page
      title={isPlatform ? 'Provider accounts of the platform' : 'Provider accounts'}
      about={
        isPlatform
          ? 'Used by tenants without an account of their own for the channel.'
          : 'Your credentials at vendors. Accounts of a channel are tried in their order.'
      }
      actions={add}
    >
      <Loaded query={accounts}>
        {(data) =>
          data.length === 0 ? (
            <Empty title="No provider accounts yet" action={add}>
              {isPlatform
                ? 'Deliveries of tenants without an account fail with the reason “no provider”.'
                : 'Your deliveries go through the accounts of the platform, if it has some for the channel.'}
            </Empty>
          ) : (
            <Stack gap="xl">
              {[...Map.groupBy(data, ({ channel }) => channel)].map(([channel, inside]) => (
                <ChannelAccounts key={channel} channel={channel} accounts={inOrder(inside)} mayWrite={mayWrite} />
              ))}
            </Stack>
          )
        }
      </Loaded>
    </Page>
  );
}

interface ChannelProps {
  channel: string;
  accounts: Account[];
  mayWrite: boolean;
}

function ChannelAccounts({ channel, accounts, mayWrite }: ChannelProps) {
  const { tenantId, linkTo } = useScopeOfPage();
  const isPlatform = tenantId === null;
  const move = useAction<{ id: string; by: number }>({
    run: async (carillon, { id, by }) => {
      for (const { id: moved, order } of movesOf(accounts, id, by))
        await accountRoutes(carillon, isPlatform).update(moved, { order });
    },
    done: 'The order is changed',
    changes: ['provider_accounts'],
  });
  const enable = useAction<{ id: string; enabled: boolean }>({
    run: (carillon, { id, enabled }) => accountRoutes(carillon, isPlatform).update(id, { enabled }),
    done: 'The account is changed',
    changes: ['provider_accounts'],
  });
  return (
    <Stack gap="xs" component="section" aria-label={inWords(channel)}>
      <Title order={2} size="h4">
        {inWords(channel)}
      </Title>
      <Paper withBorder style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label={`${channel} accounts`}>
        <Table className="list" aria-label={`Accounts for ${inWords(channel)}`} verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col" w={110}>
                Order
              </Table.Th>
              <Table.Th scope="col">Account</Table.Th>
              <Table.Th scope="col">Provider</Table.Th>
              <Table.Th scope="col">Health</Table.Th>
              <Table.Th scope="col">Pace</Table.Th>
              <Table.Th scope="col">On</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {accounts.map((account, index) => (
              <Table.Tr key={account.id}>
                <Table.Td data-label="Order">
                  <Group gap={4} wrap="nowrap">
                    <Text size="sm" w={20}>
                      {index + 1}.
                    </Text>
                    {mayWrite && accounts.length > 1 && (
                      <>
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          aria-label={`Move ${account.name} up`}
                          disabled={index === 0 || move.isPending}
                          onClick={() => move.mutate({ id: account.id, by: -1 })}
                        >
                          <IconArrowUp size={16} aria-hidden />
                        </ActionIcon>
                        <ActionIcon
                          variant="subtle"
                          color="gray"
                          aria-label={`Move ${account.name} down`}
                          disabled={index === accounts.length - 1 || move.isPending}
                          onClick={() => move.mutate({ id: account.id, by: 1 })}
                        >
                          <IconArrowDown size={16} aria-hidden />
                        </ActionIcon>
                      </>
                    )}
                  </Group>
                </Table.Td>
                <Table.Td data-label="Account">
                  <Anchor component={Link} to={linkTo(`/provider-accounts/${account.id}`)}>
                    {account.name}
                  </Anchor>
                </Table.Td>
                <Table.Td data-label="Provider">{account.provider}</Table.Td>
                <Table.Td data-label="Health">
                  <AccountHealth account={account} />
                </Table.Td>
                <Table.Td data-label="Pace">
                  {account.pace_per_second === null ? 'of the vendor' : `${account.pace_per_second} a second`}
                </Table.Td>
                <Table.Td data-label="On">
                  <Switch
                    aria-label={`${account.name} is used`}
                    checked={account.enabled}
                    disabled={!mayWrite || enable.isPending}
                    onChange={(event) => enable.mutate({ id: account.id, enabled: event.currentTarget.checked })}
                  />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
    </Stack>
  );
}
