import { Button, Group, NumberInput, Popover, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconGauge, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useState } from 'react';
import { useAction } from '../api/view-context';
import { ConfirmButton } from '../page/confirm-button';
import type { Job, JobCalls } from './job-calls';

interface JobActionsProps {
  job: Job;
  calls: JobCalls;
  mayChange: boolean;
  mayStop: boolean;
}

export function JobActions({ job, calls, mayChange, mayStop }: JobActionsProps) {
  const changes = [calls.name];
  const pause = useAction({ run: (carillon) => calls.pause(carillon, job.id), done: 'The job is paused', changes });
  const resume = useAction({ run: (carillon) => calls.resume(carillon, job.id), done: 'The job is resumed', changes });
  const stop = useAction({ run: (carillon) => calls.stop(carillon, job.id), done: 'The job is stopped', changes });
  const isOpen = job.state === 'running' || job.state === 'paused' || job.state === 'failed';
  if (!isOpen) return null;
  return (
    <Group gap="xs">
      {mayChange && <PaceButton job={job} calls={calls} />}
      {mayChange && job.state === 'running' && (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={16} aria-hidden />}
          loading={pause.isPending}
          onClick={() => pause.mutate()}
        >
          Pause
        </Button>
      )}
      {mayChange && job.state !== 'running' && (
        <Button
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
          loading={resume.isPending}
          onClick={() => resume.mutate()}
        >
          Resume
        </Button>
      )}
      {mayStop && (
        <ConfirmButton
          title="Stop this job?"
          text="What it has done stays. It cannot be started again."
          confirm="Stop the job"
          run={() => stop.mutateAsync()}
        >
          Stop
        </ConfirmButton>
      )}
    </Group>
  );
}

function PaceButton({ job, calls }: { job: Job; calls: JobCalls }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [pace, setPace] = useState<number | string>(job.pace_per_second ?? '');
  const change = useAction({
    run: (carillon, wanted: number | null) => calls.setPace(carillon, job.id, wanted),
    done: ({ pace_per_second }) =>
      pace_per_second === null ? 'The job runs as fast as possible' : `The pace is ${pace_per_second} a second`,
    changes: [calls.name],
    onDone: close,
  });
  return (
    <Popover opened={opened} onChange={(open) => !open && close()} trapFocus withRoles>
      <Popover.Target>
        <Button variant="default" leftSection={<IconGauge size={16} aria-hidden />} onClick={toggle}>
          Pace
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Pace">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            change.mutate(paceOf(pace));
          }}
        >
          <Stack gap="xs">
            <PaceInput value={pace} change={setPace} />
            <Button type="submit" size="xs" loading={change.isPending}>
              Set the pace
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}

/** Null, as fast as possible, for an empty field. The field has a text while it ends with `.` or `.0`. */
export function paceOf(entered: number | string): number | null {
  return entered === '' ? null : Number(entered);
}

export function PaceInput({
  value,
  change,
  error,
}: {
  value: number | string;
  change: (value: number | string) => void;
  error?: string | undefined;
}) {
  return (
    <NumberInput
      label="Items a second"
      description={<Text inherit>Leave it empty to run as fast as possible.</Text>}
      placeholder="As fast as possible"
      min={0.01}
      max={100_000}
      decimalScale={2}
      thousandSeparator=","
      value={value}
      onChange={change}
      error={error}
    />
  );
}
