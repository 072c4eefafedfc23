import { Group, Paper, Skeleton, Text, UnstyledButton } from '@mantine/core';
import { useSearchParams } from 'react-router';
import { useRead } from '../../api/view-context';
import { LoadError } from '../../page/load-error';
import { type FailedReason, failedReasons } from '../../words/failed-reasons';
import { countInWords, type DeadLetterCalls, type Filter } from './dead-letter-calls';

const REASONS = Object.keys(failedReasons) as FailedReason[];

/** How many dead letters of the other filters each reason has. A click filters by the reason. */
export function ReasonGroups({ calls, filter }: { calls: DeadLetterCalls; filter: Filter }) {
  const [parameters, setParameters] = useSearchParams();
  const { reason: chosen, ...others } = filter;
  const query = useRead(
    ['dead_letters', 'reasons', others],
    (carillon) =>
      Promise.all(REASONS.map(async (reason) => ({ reason, ...(await calls.count(carillon, { ...others, reason })) }))),
    { keepPrevious: true },
  );

  function choose(reason: FailedReason): void {
    const next = new URLSearchParams(parameters);
    next.delete('cursor');
    if (reason === chosen) next.delete('reason');
    else next.set('reason', reason);
    setParameters(next);
  }

  if (query.error && !query.data) return <LoadError error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Skeleton h={64} />;
  const groups = query.data.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count);
  if (groups.length === 0) return null;
  return (
    <Group gap="xs" role="group" aria-label="Dead letters by reason">
      {groups.map(({ reason, ...count }) => (
        <UnstyledButton key={reason} onClick={() => choose(reason)} aria-pressed={reason === chosen}>
          <Paper
            withBorder
            px="md"
            py="xs"
            bg={reason === chosen ? 'var(--mantine-primary-color-light)' : undefined}
            style={reason === chosen ? { borderColor: 'var(--mantine-primary-color-filled)' } : undefined}
          >
            <Text fw={700}>{countInWords(count)}</Text>
            <Text size="xs" c="dimmed">
              {failedReasons[reason]}
            </Text>
          </Paper>
        </UnstyledButton>
      ))}
    </Group>
  );
}
