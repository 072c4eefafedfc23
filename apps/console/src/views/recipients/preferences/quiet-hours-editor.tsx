import { ActionIcon, Button, Chip, Group, Paper, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { QuietHours } from '#client';
import { TIME_ZONES } from '../../../form/time-zones';

type Window = QuietHours['windows'][number];

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const NIGHT: Window = { days: [...DAYS], from: '22:00', to: '08:00' };

const KINDS = [
  { value: 'default', label: 'The default of the tenant' },
  { value: 'none', label: 'No quiet hours' },
  { value: 'own', label: 'Their own' },
];

interface EditorProps {
  value: QuietHours | null;
  /** Undefined if it may not be changed. */
  change: ((value: QuietHours | null) => void) | undefined;
}

export function QuietHoursEditor({ value, change }: EditorProps) {
  const kind = value === null ? 'default' : value.windows.length === 0 ? 'none' : 'own';
  function choose(chosen: string | null): void {
    if (chosen === 'default') change?.(null);
    else change?.({ ...value, windows: chosen === 'own' ? [NIGHT] : [] });
  }
  return (
    <Paper withBorder p="md" maw={860}>
      <Stack gap="sm">
        <Title order={2} size="h4">
          Quiet hours
        </Title>
        <Select
          aria-label="Quiet hours"
          data={KINDS}
          value={kind}
          onChange={choose}
          allowDeselect={false}
          disabled={!change}
          maw={320}
        />
        {value && value.windows.length > 0 && <Windows value={value} change={change} />}
      </Stack>
    </Paper>
  );
}

function Windows({ value, change }: { value: QuietHours; change: EditorProps['change'] }) {
  const { windows, timezone } = value;
  return (
    <Stack>
      {windows.map((window, index) => (
        <WindowFields
          // biome-ignore lint/suspicious/noArrayIndexKey: windows have no identity of their own.
          key={index}
          number={index + 1}
          window={window}
          change={change && ((changed) => change({ ...value, windows: windows.with(index, changed) }))}
          remove={() => change?.({ ...value, windows: windows.toSpliced(index, 1) })}
        />
      ))}
      <Group align="flex-end">
        <Select
          label="Time zone"
          placeholder="That of the recipient"
          data={TIME_ZONES}
          value={timezone ?? null}
          onChange={(zone) => change?.(zone ? { windows, timezone: zone } : { windows })}
          searchable
          clearable
          limit={20}
          disabled={!change}
        />
        {change && (
          <Button
            variant="default"
            leftSection={<IconPlus size={14} aria-hidden />}
            onClick={() => change({ ...value, windows: [...windows, NIGHT] })}
          >
            Add a window
          </Button>
        )}
      </Group>
      <Text size="xs" c="dimmed">
        A day is the one on which the window starts. A window may cross midnight. Messages wait until it ends.
      </Text>
    </Stack>
  );
}

interface WindowProps {
  /** Of the window in the list, from 1. */
  number: number;
  window: Window;
  /** Undefined if it may not be changed. */
  change: ((window: Window) => void) | undefined;
  remove: () => void;
}

function WindowFields({ number, window, change, remove }: WindowProps) {
  return (
    <Group align="flex-end" role="group" aria-label={`Quiet hours ${number}`}>
      {(['from', 'to'] as const).map((name) => (
        <TextInput
          key={name}
          type="time"
          label={name === 'from' ? 'From' : 'To'}
          value={window[name]}
          disabled={!change}
          onChange={(event) => change?.({ ...window, [name]: event.currentTarget.value })}
        />
      ))}
      <Chip.Group
        multiple
        value={window.days}
        onChange={(chosen) => change?.({ ...window, days: DAYS.filter((day) => chosen.includes(day)) })}
      >
        <Group gap={4}>
          {DAYS.map((day) => (
            <Chip key={day} value={day} size="xs" disabled={!change}>
              {day}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
      {change && (
        <ActionIcon variant="default" aria-label={`Remove quiet hours ${number}`} onClick={remove}>
          <IconTrash size={14} aria-hidden />
        </ActionIcon>
      )}
    </Group>
  );
}
