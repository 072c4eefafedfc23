import { Alert, Badge, Button, Group, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconRefresh } from '@tabler/icons-react';
import { useNavigate } from 'react-router';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { PaceInput, paceOf } from '../../job/job-actions';
import type { Filter as ListFilter } from '../../list/list-filters';
import { FormDialog } from '../../page/form-dialog';
import { Loaded } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { wholeTime } from '../../page/time';
import { durationInWords } from '../../words/amounts';
import {
  countInWords,
  countMatches,
  type DeadLetterCalls,
  type DeadLetterCount,
  type Filter,
  startReplay,
} from './dead-letter-calls';

interface BulkReplayProps {
  calls: DeadLetterCalls;
  /** The filter of the list below. */
  filter: Filter;
  filters: readonly ListFilter[];
}

const NO_PACE = { pace: '' as number | string };

/** Counts first, then replays all dead letters of the current filter in a job. */
export function BulkReplay({ calls, filter, filters }: BulkReplayProps) {
  const [opened, { open, close }] = useDisclosure(false);
  const navigate = useNavigate();
  const { linkTo } = useViewContext();
  const count = useRead(['dead_letters', 'dry_run', filter], (carillon) => countMatches(carillon, calls, filter), {
    enabled: opened,
  });
  const start = useAction({
    run: (carillon, { pace }: typeof NO_PACE) => startReplay(carillon, calls, { filter, pace: paceOf(pace) }),
    done: 'The replay has started',
    changes: ['dead_letters', calls.jobs.name],
    onDone: ({ id }) => navigate(linkTo(`/dead-letters/replays/${id}`)),
    quiet: true,
  });
  return (
    <>
      <Button leftSection={<IconRefresh size={16} aria-hidden />} onClick={open}>
        Replay all…
      </Button>
      <FormDialog
        title="Replay all that match"
        opened={opened}
        close={close}
        confirm="Start the replay"
        initial={NO_PACE}
        run={start.mutateAsync}
      >
        {({ values: { pace }, set, faultOf }) => (
          <>
            <FilterInWords filter={filter} filters={filters} />
            <Loaded query={count}>{(counted) => <Matches count={counted} pace={paceOf(pace)} />}</Loaded>
            <PaceInput value={pace} change={(entered) => set({ pace: entered })} error={faultOf('rate_per_second')} />
          </>
        )}
      </FormDialog>
    </>
  );
}

function FilterInWords({ filter, filters }: { filter: Filter; filters: readonly ListFilter[] }) {
  const set = filters.flatMap(({ name, label, kind }) => {
    const value = filter[name];
    if (!value || name === 'unreplayed') return [];
    return [{ name, text: `${label}: ${kind === 'time' ? wholeTime(value) : inWords(value)}` }];
  });
  return (
    <Stack gap="xs">
      <Text size="sm">
        {set.length > 0
          ? 'The filter of the list decides what is replayed:'
          : 'The list has no filter: all are replayed.'}
      </Text>
      {set.length > 0 && (
        <Group gap="xs">
          {set.map(({ name, text }) => (
            <Badge key={name} variant="light" tt="none">
              {text}
            </Badge>
          ))}
        </Group>
      )}
    </Stack>
  );
}

function Matches({ count, pace }: { count: DeadLetterCount; pace: number | null }) {
  if (count.count === 0)
    return (
      <Alert color="gray" title="Nothing to replay">
        No open dead letter matches this filter.
      </Alert>
    );
  const least = count.at_least ? 'at least ' : '';
  return (
    <Alert color="blue" title={`Dry run: ${countInWords(count)} ${count.count === 1 ? 'matches' : 'match'}`}>
      Dead letters that were replayed or settled are left out. One whose delivery has expired, or whose recipient was
      erased, is counted as failed.{' '}
      {pace ? `At this pace it takes ${least}${durationInWords(count.count / pace)}.` : ''}
    </Alert>
  );
}
