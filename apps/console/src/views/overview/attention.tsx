import { Anchor, Group, List, Paper, Skeleton, Text, ThemeIcon, Title } from '@mantine/core';
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useRead, useViewContext } from '../../api/view-context';
import { LoadError } from '../../page/load-error';
import { useScope } from '../../session/session';

interface Item {
  key: string;
  text: ReactNode;
  /** The path of a view, as for `linkTo`. */
  to: string;
}

const REFRESH_MS = 30_000;
const MOST = 200;

/** Faults that a person of the tenant has to correct. */
export function Attention() {
  const sources = [useDeadLetters(), useFailingAccounts(), useStoppedWebhooks()];
  const items = sources.flatMap((source) => source.items);
  const unknown = sources.find(({ error }) => error !== null);
  const isRead = sources.every((source) => source.isRead);
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="attention">
      <Title order={2} size="h6" mb="xs" id="attention">
        Needs attention
      </Title>
      {unknown && <LoadError error={unknown.error} />}
      {!isRead && !unknown && <Skeleton h={20} w="60%" />}
      {items.length === 0 ? (
        isRead && (
          <Group gap="xs">
            <IconCheck size={16} aria-hidden />
            <Text size="sm">Nothing.</Text>
          </Group>
        )
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
  const { linkTo, hasView } = useViewContext();
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

/** The items of one kind, such as dead letters. Nothing is read without the scope for them. */
interface Source {
  items: Item[];
  isRead: boolean;
  error: unknown;
}

function sourceOf<Data>(
  { data, error }: UseQueryResult<Data>,
  isEnabled: boolean,
  itemsOf: (data: Data) => Item[],
): Source {
  const items = data === undefined ? [] : itemsOf(data);
  return { items, isRead: !isEnabled || (data !== undefined && error === null), error };
}

function useDeadLetters(): Source {
  const enabled = useScope('dead_letters:read');
  const query = useRead(
    ['dead_letters', 'count'],
    (carillon) => carillon.tenantDeadLetters.count({ query: { unreplayed: 'true' } }),
    { enabled, refreshMs: REFRESH_MS },
  );
  return sourceOf(query, enabled, (data) => {
    if (data.count === 0) return [];
    const count = data.count.toLocaleString();
    const text = data.count === 1 ? '1 dead letter' : `${data.at_least ? 'More than ' : ''}${count} dead letters`;
    return [{ key: 'dead letters', text, to: '/dead-letters?unreplayed=true' }];
  });
}

function useFailingAccounts(): Source {
  const enabled = useScope('provider_accounts:read');
  const query = useRead(
    ['provider_accounts', 'health'],
    (carillon) => carillon.providerAccounts.list({ query: { limit: MOST } }),
    { enabled, refreshMs: REFRESH_MS },
  );
  return sourceOf(query, enabled, ({ data }) => {
    const failing = data.filter((account) => account.enabled && account.health.breaker !== 'closed');
    return failing.map(({ id, name, health }) => ({
      key: id,
      text: `The provider account ${name} does not work${health.detail ? `: ${health.detail}` : ''}`,
      to: `/provider-accounts/${id}`,
    }));
  });
}

function useStoppedWebhooks(): Source {
  const enabled = useScope('webhooks:read');
  const query = useRead(['webhooks', 'health'], (carillon) => carillon.webhooks.list({ query: { limit: MOST } }), {
    enabled,
    refreshMs: REFRESH_MS,
  });
  return sourceOf(query, enabled, ({ data }) => {
    const stopped = data.filter(
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
  });
}

const WHY = { gone: 'its endpoint answered that it is gone', failing: 'it failed for too long' };
