import { ActionIcon, Button, Chip, Group, Paper, Select, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { QuietHours } from '#client';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const NIGHT: QuietHours['windows'][number] = { days: [...DAYS], from: '22:00', to: '08:00' };
const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone')];

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
  function changeWindow(index: number, changed: Partial<QuietHours['windows'][number]>): void {
    change?.({ ...value, windows: windows.map((window, at) => (at === index ? { ...window, ...changed } : window)) });
  }
  return (
    <Stack>
      {windows.map(({ days, from, to }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: windows have no identity of their own.
        <Group key={index} align="flex-end" role="group" aria-label={`Quiet hours ${index + 1}`}>
          <TextInput
            type="time"
            label="From"
            value={from}
            disabled={!change}
            onChange={(event) => changeWindow(index, { from: event.currentTarget.value })}
          />
          <TextInput
            type="time"
            label="To"
            value={to}
            disabled={!change}
            onChange={(event) => changeWindow(index, { to: event.currentTarget.value })}
          />
          <Chip.Group
            multiple
            value={days}
            onChange={(chosen) => changeWindow(index, { days: DAYS.filter((day) => chosen.includes(day)) })}
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
            <ActionIcon
              variant="default"
              aria-label={`Remove quiet hours ${index + 1}`}
              onClick={() => change({ ...value, windows: windows.filter((_, at) => at !== index) })}
            >
              <IconTrash size={14} aria-hidden />
            </ActionIcon>
          )}
        </Group>
      ))}
      <Group align="flex-end">
        <Select
          label="Time zone"
          placeholder="That of the recipient"
          data={ZONES}
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
