import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { useScope } from '../../session/session';
import { channelName } from '../../words/channels';
import { ruleInWords } from './recurrence';
import type { Schedule } from './schedule';
import { ScheduleForm } from './schedule-form';
import { nextInWords } from './schedule-times';

const columns: readonly Column<Schedule>[] = [
  { id: 'send', label: 'Send', cell: ({ notification }) => sendInWords(notification) },
  { id: 'state', label: 'State', cell: ({ state }) => <StateBadge state={state} /> },
  { id: 'rule', label: 'When', cell: ({ rrule, starts_at_local }) => ruleInWords(rrule, starts_at_local) },
  {
    id: 'timezone',
    label: 'Time zone',
    cell: ({ timezone }) => (timezone === 'recipient' ? "the recipient's" : timezone),
  },
  { id: 'next', label: 'Next', cell: ({ next: [next], timezone }) => (next ? nextInWords(next, timezone) : '–') },
];

/** `welcome to user-17`: the template, the type or the channel of a send, and to whom it goes. */
export function sendInWords(notification: Schedule['notification']): string {
  const text = (name: string): string | null => {
    const value = notification[name];
    return typeof value === 'string' ? value : null;
  };
  const profile = notification['recipient'] as { id?: string } | undefined;
  const to = text('topic') ? `topic ${text('topic')}` : (text('recipient_id') ?? profile?.id ?? 'a recipient');
  const channel = text('channel');
  const what = text('template_id') ?? text('type') ?? (channel === null ? 'a message' : channelName(channel));
  return `${what} to ${to}`;
}

export function ScheduleList() {
  const { linkTo } = useViewContext();
  const [opened, { open, close }] = useDisclosure(false);
  const [mayWrite, maySend] = [useScope('schedules:write'), useScope('notifications:write')];
  return (
    <Page
      title="Schedules"
      about="Sends that repeat by a rule, on the clock of a time zone or of each recipient."
      actions={
        mayWrite &&
        maySend && (
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
            Create a schedule
          </Button>
        )
      }
    >
      <List<Schedule>
        name="schedules"
        columns={columns}
        load={(carillon, query) => carillon.schedules.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/schedules/${id}`)}
        empty={{ title: 'No schedules yet', text: 'Create one, for example a digest on each Monday at 9.' }}
      />
      <ScheduleForm opened={opened} close={close} />
    </Page>
  );
}
