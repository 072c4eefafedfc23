import { counted } from '../../words/amounts';
import '@mantine/dates/styles.css';
import { Alert, Grid, Indicator, List, Paper, Stack, Text } from '@mantine/core';
import { Calendar } from '@mantine/dates';
import { useMemo, useState } from 'react';
import { clockChanges, firstDay, type Occurrence, occurrencesOf } from './occurrences';
import type { Schedule } from './schedule';
import { localInWords } from './schedule-times';

const SHOWN_TIMES = 12;

const ARIA_LABELS = { nextMonth: 'Next month', previousMonth: 'Previous month' };

/** The occurrences of a month; a day shows its times. Its own file, since it is loaded when it is shown. */
export default function MonthCalendar({ schedule }: { schedule: Schedule }) {
  const [day, setDay] = useState(() => firstDay(schedule));
  const month = day.slice(0, 7);
  const { byDay, isCut, error } = useMemo(() => read(schedule, month), [schedule, month]);
  const changes = useMemo(() => clockChanges(schedule.timezone, month), [schedule.timezone, month]);
  if (error)
    return (
      <Alert color="red" title="The calendar cannot show this rule">
        {error}
      </Alert>
    );
  const ofDay = byDay.get(day) ?? [];
  const inMonth = [...byDay.values()].flat();
  return (
    <Grid>
      <Grid.Col span={{ base: 12, sm: 6 }}>
        <Paper withBorder p="md">
          <Calendar
            date={day}
            onDateChange={(date) => setDay(String(date).slice(0, 10))}
            maxLevel="month"
            hideOutsideDates
            weekendDays={[]}
            ariaLabels={ARIA_LABELS}
            getDayProps={(date) => ({ selected: date === day, onClick: () => setDay(date) })}
            getDayAriaLabel={(date) => `${longDay(date)}, ${counted(byDay.get(date)?.length ?? 0, 'occurrence')}`}
            renderDay={(date) => (
              <Indicator
                size={7}
                offset={-3}
                color={byDay.get(date)?.some(({ note }) => note) ? 'orange' : 'teal'}
                disabled={!byDay.has(date)}
              >
                <span>{Number(date.slice(8))}</span>
              </Indicator>
            )}
          />
        </Paper>
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 6 }}>
        <Stack gap="sm">
          <Text size="sm" fw={600} aria-live="polite">
            {longDay(day)}: {counted(ofDay.length, 'occurrence')}
          </Text>
          <Times occurrences={ofDay} />
          <Text size="sm" c="dimmed">
            {isCut ? 'More than ' : ''}
            {counted(inMonth.length, 'occurrence')} in this month
          </Text>
          {changes.map((change) => (
            <Alert key={change} color="orange" title="Clocks change in this month">
              {change}
            </Alert>
          ))}
        </Stack>
      </Grid.Col>
    </Grid>
  );
}

function Times({ occurrences }: { occurrences: Occurrence[] }) {
  if (occurrences.length === 0) return null;
  return (
    <List size="sm">
      {occurrences.slice(0, SHOWN_TIMES).map(({ local, shown, note }) => (
        <List.Item key={local}>
          {localInWords(shown ?? local)}
          {shown === null && ' where the recipient is'}
          {note && (
            <Text size="sm" c="dimmed">
              {note}
            </Text>
          )}
        </List.Item>
      ))}
      {occurrences.length > SHOWN_TIMES && <List.Item>and {occurrences.length - SHOWN_TIMES} more</List.Item>}
    </List>
  );
}

function read(schedule: Schedule, month: string) {
  try {
    const { found, isCut } = occurrencesOf(schedule, month);
    return { byDay: Map.groupBy(found, ({ shown, local }) => (shown ?? local).slice(0, 10)), isCut, error: null };
  } catch (error) {
    return { byDay: new Map<string, Occurrence[]>(), isCut: false, error: (error as Error).message };
  }
}

function longDay(date: string): string {
  return new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    new Date(`${date}T00:00:00Z`),
  );
}
