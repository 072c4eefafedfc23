import { Badge } from '@mantine/core';

/** Of deliveries, notifications, jobs, schedules and so on: the same word has one colour everywhere. */
const COLOURS: Record<string, string> = {
  sent: 'teal',
  delivered: 'green',
  completed: 'green',
  finished: 'green',
  active: 'teal',
  healthy: 'green',
  waiting: 'blue',
  pending: 'blue',
  sending: 'indigo',
  running: 'indigo',
  queued: 'blue',
  suppressed: 'gray',
  cancelled: 'gray',
  paused: 'yellow',
  suspended: 'orange',
  unknown: 'orange',
  expired: 'orange',
  bounced: 'red',
  failed: 'red',
  open: 'red',
};

export function StateBadge({ state }: { state: string }) {
  return (
    <Badge
      variant="light"
      color={COLOURS[state] ?? 'gray'}
      tt="none"
      autoContrast={false}
      className="state"
      miw="max-content"
    >
      {inWords(state)}
    </Badge>
  );
}

/** `quiet_hours` as "quiet hours". */
export function inWords(name: string): string {
  return name.replaceAll('_', ' ');
}
