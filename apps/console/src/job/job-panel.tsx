import { Alert, Group, Paper, Progress, SimpleGrid, Stack, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useRead } from '../api/view-context';
import { Loaded } from '../page/page';
import { StateBadge } from '../page/state-badge';
import { Time } from '../page/time';
import { counted, durationInWords } from '../words/amounts';
import { JobActions } from './job-actions';
import type { Job, JobCalls } from './job-calls';
import { isMoving, processedOf, remainingSeconds, useRate } from './job-progress';

const LIVE_MS = 1_000;

interface JobPanelProps {
  id: string;
  calls: JobCalls;
  /** Pause, resume and pace are allowed. */
  mayChange: boolean;
  mayStop: boolean;
  /** Of the number of items that are done. */
  done: string;
  children?: (job: Job) => ReactNode;
}

/** One job, live until it ends. */
export function JobPanel({ id, calls, mayChange, mayStop, done, children }: JobPanelProps) {
  const query = useRead([calls.name, 'one', id], (carillon) => calls.get(carillon, id), { refreshMs: LIVE_MS });
  const rate = useRate(query.data, query.dataUpdatedAt);
  return (
    <Loaded query={query}>
      {(job) => (
        <Stack>
          <Paper withBorder p="md">
            <Stack gap="sm">
              <Group justify="space-between">
                <Group gap="xs">
                  <StateBadge state={job.state} />
                  <Text size="sm" aria-live="polite">
                    {progressInWords(job)}
                  </Text>
                </Group>
                <JobActions job={job} calls={calls} mayChange={mayChange} mayStop={mayStop} />
              </Group>
              <JobBar job={job} />
              <SimpleGrid cols={{ base: 2, sm: 4 }}>
                <Figure label={done} value={job.done.toLocaleString()} />
                <Figure label="Skipped" value={job.skipped.toLocaleString()} />
                <Figure label="Failed" value={job.failed.toLocaleString()} />
                <Figure label="Rate" value={rate === null ? '–' : `${rateInWords(rate)} a second`} />
              </SimpleGrid>
              <JobTimes job={job} rate={rate} />
              {job.error && (
                <Alert color={job.state === 'failed' ? 'red' : 'orange'} title={failureTitle(job)}>
                  {job.error.message}
                </Alert>
              )}
            </Stack>
          </Paper>
          {children?.(job)}
        </Stack>
      )}
    </Loaded>
  );
}

export function JobBar({ job }: { job: Job }) {
  const share = job.total ? (100 * processedOf(job)) / job.total : 0;
  const part = (count: number): number => (job.total ? (100 * count) / job.total : 0);
  const label = job.total === null ? 'Progress; the total is not known' : `${Math.floor(share)} percent`;
  if (job.total === null && isMoving(job)) return <Progress value={100} striped animated aria-label={label} />;
  return (
    <Progress.Root size="lg" aria-label={label}>
      <Progress.Section value={part(job.done)} color="teal" aria-label="Done" />
      <Progress.Section value={part(job.skipped)} color="gray" aria-label="Skipped" />
      <Progress.Section value={part(job.failed)} color="red" aria-label="Failed" />
    </Progress.Root>
  );
}

function Figure({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fw={600}>{value}</Text>
    </div>
  );
}

function JobTimes({ job, rate }: { job: Job; rate: number | null }) {
  const remaining = remainingSeconds(job, rate);
  return (
    <Group gap="lg">
      <Text size="sm" c="dimmed" component="div">
        Started <Time value={job.started_at} none="not yet" />
      </Text>
      {job.finished_at && (
        <Text size="sm" c="dimmed" component="div">
          Ended <Time value={job.finished_at} />
        </Text>
      )}
      <Text size="sm" c="dimmed">
        Pace: {job.pace_per_second === null ? 'as fast as possible' : `${job.pace_per_second} a second`}
      </Text>
      {remaining !== null && (
        <Text size="sm" c="dimmed">
          About {durationInWords(remaining)} left
        </Text>
      )}
    </Group>
  );
}

function progressInWords(job: Job): string {
  const processed = processedOf(job);
  if (job.total === null) return `${counted(processed, 'item')} so far`;
  return `${processed.toLocaleString()} of ${counted(job.total, 'item')}`;
}

function rateInWords(rate: number): string {
  return rate.toLocaleString(undefined, { maximumFractionDigits: rate < 10 ? 1 : 0 });
}

function failureTitle({ state }: Job): string {
  return state === 'failed' ? 'Given up after ten failures in a row' : 'The last chunk failed and is tried again';
}
