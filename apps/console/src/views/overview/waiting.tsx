import { Anchor, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { Link } from 'react-router';
import type { FoundDelivery } from '#client';
import { useRead, useViewContext } from '../../api/view-context';
import { LoadError } from '../../page/load-error';
import { Time } from '../../page/time';
import { reasonText } from '../../words/reasons';
import { Words } from '../../words/words';

const READ = 200;

/** Why deliveries wait, from the newest of them, and how late the one is that is due longest. */
export function Waiting() {
  const { linkTo } = useViewContext();
  const query = useRead(
    ['deliveries', 'waiting'],
    (carillon) => carillon.deliveries.list({ query: { state: 'waiting', limit: READ } }),
    { refreshMs: 15_000 },
  );
  const { data, error } = query;
  const waiting = data?.data ?? [];
  const byReason = [...Map.groupBy(waiting, ({ reason }) => reason)].sort(
    ([, one], [, other]) => other.length - one.length,
  );
  const due = waiting.filter(isDue).map(({ due_at }) => due_at!);
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="waiting">
      <Title order={2} size="h6" mb="xs" id="waiting">
        Waiting
      </Title>
      {error && <LoadError error={error} retry={() => void query.refetch()} />}
      {!data && !error && <Skeleton h={20} w="60%" />}
      {data && !error && waiting.length === 0 && <Text size="sm">Nothing waits.</Text>}
      <Stack gap={6}>
        {byReason.map(([reason, { length }]) => (
          <Group key={reason} justify="space-between" wrap="nowrap" align="flex-start">
            <Text size="sm">
              <Words text={reasonText(reason, true)?.meaning ?? 'due, until a worker has capacity'} />
            </Text>
            <Anchor
              component={Link}
              size="sm"
              to={linkTo(`/deliveries?state=waiting${reason === null ? '' : `&reason=${reason}`}`)}
              aria-label={`${length} ${reason ?? 'due'}`}
            >
              {length.toLocaleString()}
            </Anchor>
          </Group>
        ))}
        {due.length > 0 && (
          <Text size="sm" component="div">
            The one that is due longest: <Time value={due.sort()[0]} />
          </Text>
        )}
        {data?.next_cursor && (
          <Text size="xs" c="dimmed">
            Of the newest {READ}.
          </Text>
        )}
      </Stack>
    </Paper>
  );
}

function isDue({ due_at }: FoundDelivery): boolean {
  return due_at !== null && Date.parse(due_at) <= Date.now();
}
