import { Anchor, Group, List, Paper, Text, ThemeIcon, Title } from '@mantine/core';
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useRead, useScopeOfPage } from '../../api/scope';
import { useScope } from '../../session/session';

interface Item {
  key: string;
  text: ReactNode;
  /** Below the scope. */
  to: string;
}

const REFRESH_MS = 30_000;
const MOST = 200;

/** Faults that a person of the tenant has to correct. */
export function Attention() {
  const items = [...useDeadLetters(), ...useFailingAccounts(), ...useStoppedWebhooks()];
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="attention">
      <Title order={2} size="h6" mb="xs" id="attention">
        Needs attention
      </Title>
      {items.length === 0 ? (
        <Group gap="xs">
          <IconCheck size={16} aria-hidden />
          <Text size="sm">Nothing.</Text>
        </Group>
      ) : (
        <List
          spacing="xs"
          size="sm"
          icon={
            <ThemeIcon size={20} radius="xl" color="orange" variant="light">
              <IconAlertTriangle size={12} aria-hidden />
            </ThemeIcon>
          }
        >
          {items.map((item) => (
            <AttentionItem key={item.key} item={item} />
          ))}
        </List>
      )}
    </Paper>
  );
}

function AttentionItem({ item: { text, to } }: { item: Item }) {
  const { linkTo, hasView } = useScopeOfPage();
  return (
    <List.Item>
      {hasView(to) ? (
        <Anchor component={Link} to={linkTo(to)} size="sm">
          {text}
        </Anchor>
      ) : (
        text
      )}
    </List.Item>
  );
}

function useDeadLetters(): Item[] {
  const enabled = useScope('dead_letters:read');
  const { data } = useRead(
    ['dead_letters', 'count'],
    (carillon) => carillon.tenantDeadLetters.count({ query: { unreplayed: 'true' } }),
    { enabled, refreshMs: REFRESH_MS },
  );
  if (!data || data.count === 0) return [];
  const count = data.count.toLocaleString();
  const text = data.count === 1 ? '1 dead letter' : `${data.at_least ? 'More than ' : ''}${count} dead letters`;
  return [{ key: 'dead letters', text, to: '/dead-letters?unreplayed=true' }];
}

function useFailingAccounts(): Item[] {
  const enabled = useScope('provider_accounts:read');
  const { data } = useRead(
    ['provider_accounts', 'health'],
    (carillon) => carillon.providerAccounts.list({ query: { limit: MOST } }),
    { enabled, refreshMs: REFRESH_MS },
  );
  const failing = (data?.data ?? []).filter((account) => account.enabled && account.health.breaker !== 'closed');
  return failing.map(({ id, name, health }) => ({
    key: id,
    text: `The provider account ${name} does not work${health.detail ? `: ${health.detail}` : ''}`,
    to: `/provider-accounts/${id}`,
  }));
}

function useStoppedWebhooks(): Item[] {
  const enabled = useScope('webhooks:read');
  const { data } = useRead(['webhooks', 'health'], (carillon) => carillon.webhooks.list({ query: { limit: MOST } }), {
    enabled,
    refreshMs: REFRESH_MS,
  });
  const stopped = (data?.data ?? []).filter(
    ({ disabled_reason, failing_since }) => disabled_reason !== null || failing_since !== null,
  );
  return stopped.map(({ id, url, disabled_reason }) => ({
    key: id,
    text:
      disabled_reason === null
        ? `The webhook ${url} fails`
        : `The webhook ${url} is switched off: ${WHY[disabled_reason]}`,
    to: `/webhooks/${id}`,
  }));
}

const WHY = { gone: 'its endpoint answered that it is gone', failing: 'it failed for too long' };
