import { ActionIcon, Anchor, Button, Group, Paper, Stack, Switch, Table, Text, Title } from '@mantine/core';
import { IconArrowDown, IconArrowUp, IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import { useAction, useMayWrite, useRead, useViewContext } from '../../api/view-context';
import { Empty } from '../../page/empty';
import { Loaded, Page } from '../../page/page';
import { channelName, channelTitle } from '../../words/channels';
import { AccountHealth } from './account-health';
import { inOrder, movesOf } from './account-order';
import { type Account, accountRoutes } from './account-routes';

const REFRESH_MS = 10_000;

export function AccountList() {
  const { isPlatform, linkTo } = useViewContext();
  const mayWrite = useMayWrite('provider_accounts:write');
  const accounts = useRead(
    ['provider_accounts', 'list'],
    (carillon, signal) => accountRoutes(carillon, isPlatform).list(signal),
    { refreshMs: REFRESH_MS },
  );
  const add = mayWrite && (
    <Button component={Link} to={linkTo('/provider-accounts/new')} leftSection={<IconPlus size={16} aria-hidden />}>
      Create a provider account
    </Button>
  );
  return (
    <Page
      title={isPlatform ? 'Provider accounts of the platform' : 'Provider accounts'}
      about={
        isPlatform
          ? 'Used by tenants without an account of their own for the channel.'
          : 'Your credentials at providers. Accounts of a channel are tried in their order.'
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
  const { isPlatform } = useViewContext();
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
    <Stack gap="xs" component="section" aria-label={channelTitle(channel)}>
      <Title order={2} size="h4">
        {channelTitle(channel)}
      </Title>
      <Paper
        withBorder
        style={{ overflowX: 'auto' }}
        tabIndex={0}
        role="region"
        aria-label={`${channelTitle(channel)} accounts`}
      >
        <Table className="list" aria-label={`Accounts for ${channelName(channel)}`} verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col" w={110}>
                Order
              </Table.Th>
              <Table.Th scope="col">Account</Table.Th>
              <Table.Th scope="col">Provider</Table.Th>
              <Table.Th scope="col">Health</Table.Th>
              <Table.Th scope="col">Sends per second</Table.Th>
              <Table.Th scope="col">On</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {accounts.map((account, index) => (
              <AccountRow
                key={account.id}
                account={account}
                place={index}
                of={accounts.length}
                isBusy={move.isPending || enable.isPending}
                {...(mayWrite && {
                  move: (by: number) => move.mutate({ id: account.id, by }),
                  enable: (enabled: boolean) => enable.mutate({ id: account.id, enabled }),
                })}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
    </Stack>
  );
}

interface RowProps {
  account: Account;
  /** Among the accounts of the channel, from 0. */
  place: number;
  of: number;
  isBusy: boolean;
  /** Undefined if it may not be changed. */
  move?: (by: number) => void;
  enable?: (enabled: boolean) => void;
}

function AccountRow({ account, place, of, isBusy, move, enable }: RowProps) {
  const { linkTo } = useViewContext();
  const { id, name, provider, enabled, pace_per_second: pace } = account;
  return (
    <Table.Tr>
      <Table.Td data-label="Order">
        <Group gap={4} wrap="nowrap">
          <Text size="sm" w={20}>
            {place + 1}.
          </Text>
          {move && of > 1 && (
            <>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={`Move ${name} up`}
                disabled={place === 0 || isBusy}
                onClick={() => move(-1)}
              >
                <IconArrowUp size={16} aria-hidden />
              </ActionIcon>
              <ActionIcon
                variant="subtle"
                color="gray"
                aria-label={`Move ${name} down`}
                disabled={place === of - 1 || isBusy}
                onClick={() => move(1)}
              >
                <IconArrowDown size={16} aria-hidden />
              </ActionIcon>
            </>
          )}
        </Group>
      </Table.Td>
      <Table.Td data-label="Account">
        <Anchor component={Link} to={linkTo(`/provider-accounts/${id}`)}>
          {name}
        </Anchor>
      </Table.Td>
      <Table.Td data-label="Provider">{provider}</Table.Td>
      <Table.Td data-label="Health">
        <AccountHealth account={account} />
      </Table.Td>
      <Table.Td data-label="Sends per second">{pace ?? 'default of the provider'}</Table.Td>
      <Table.Td data-label="On">
        <Switch
          aria-label={`${name} is used`}
          checked={enabled}
          disabled={!enable || isBusy}
          onChange={(event) => enable?.(event.currentTarget.checked)}
        />
      </Table.Td>
    </Table.Tr>
  );
}
