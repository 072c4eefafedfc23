import { Chip, Group, Input, NumberInput, Select, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { DAYS, FREQUENCIES, type Frequency, readSimpleRule, type SimpleRule, takesTime, writeRule } from './recurrence';

interface RuleFieldsProps {
  rrule: string;
  change: (rrule: string) => void;
  error: string | undefined;
}

const ENDS = [
  { value: 'never', label: 'never' },
  { value: 'count', label: 'after a number of times' },
  { value: 'until', label: 'on a day' },
];

/** The rule as fields, and as the text of RFC 5545 below them. Each follows the other. */
export function RuleFields({ rrule, change, error }: RuleFieldsProps) {
  const rule = readSimpleRule(rrule);
  const set = (changed: Partial<SimpleRule>): void => {
    if (rule) change(writeRule({ ...rule, ...changed }));
  };
  return (
    <Stack gap="sm">
      {rule ? (
        <>
          <SimpleGrid cols={{ base: 2, sm: 4 }}>
            <Select
              label="Repeats"
              data={FREQUENCIES.map(({ value, label }) => ({ value, label }))}
              value={rule.frequency}
              onChange={(frequency) => set({ frequency: frequency as Frequency })}
              allowDeselect={false}
            />
            <NumberInput
              label={`Every … ${FREQUENCIES.find(({ value }) => value === rule.frequency)?.unit}s`}
              min={1}
              max={1000}
              value={rule.interval}
              onChange={(interval) => set({ interval: Number(interval) || 1 })}
            />
            {takesTime(rule.frequency) && (
              <TextInput
                type="time"
                label="At"
                value={rule.time}
                onChange={(event) => set({ time: event.currentTarget.value })}
              />
            )}
            {rule.frequency === 'MONTHLY' && (
              <NumberInput
                label="On day"
                description="-1: the last"
                min={-1}
                max={31}
                value={rule.dayOfMonth ?? ''}
                onChange={(day) => set({ dayOfMonth: typeof day === 'number' && day !== 0 ? day : null })}
              />
            )}
          </SimpleGrid>
          {rule.frequency === 'WEEKLY' && <Days days={rule.days} change={(days) => set({ days })} />}
          <End end={rule.end} change={(end) => set({ end })} />
        </>
      ) : (
        <Text size="sm" c="dimmed">
          This rule has parts that the fields do not show. Change it as text.
        </Text>
      )}
      <TextInput
        label="Rule"
        description="The same as text, by RFC 5545."
        value={rrule}
        onChange={(event) => change(event.currentTarget.value)}
        error={error}
        required
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
      />
    </Stack>
  );
}

function Days({ days, change }: { days: string[]; change: (days: string[]) => void }) {
  return (
    <Input.Wrapper label="On" labelElement="div">
      <Chip.Group multiple value={days} onChange={change}>
        <Group gap={6}>
          {DAYS.map(({ value, label }) => (
            <Chip key={value} value={value} size="xs">
              {label}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
    </Input.Wrapper>
  );
}

function End({ end, change }: { end: SimpleRule['end']; change: (end: SimpleRule['end']) => void }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }}>
      <Select
        label="Ends"
        data={ENDS}
        value={end.kind}
        allowDeselect={false}
        onChange={(kind) => {
          if (kind === 'count') change({ kind, count: 10 });
          else if (kind === 'until') change({ kind, date: new Date().toISOString().slice(0, 10) });
          else change({ kind: 'never' });
        }}
      />
      {end.kind === 'count' && (
        <NumberInput
          label="Times"
          min={1}
          max={365}
          value={end.count}
          onChange={(count) => change({ kind: 'count', count: Number(count) || 1 })}
        />
      )}
      {end.kind === 'until' && (
        <TextInput
          type="date"
          label="Last day"
          value={end.date}
          onChange={(event) => change({ kind: 'until', date: event.currentTarget.value })}
        />
      )}
    </SimpleGrid>
  );
}
