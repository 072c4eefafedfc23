import { Alert, Anchor, Button, Code, Group, List, Skeleton, Stack, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconEdit } from '@tabler/icons-react';
import { lazy, Suspense } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { CodeBlock } from '../../page/code-block';
import { ConfirmButton } from '../../page/confirm-button';
import { Fields } from '../../page/fields';
import { toJsonText } from '../../page/json-field';
import { Loaded, Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { ruleInWords } from './recurrence';
import type { Schedule } from './schedule';
import { ScheduleForm } from './schedule-form';
import { sendInWords } from './schedule-list';
import { localInWords, nextInWords } from './schedule-times';

const MonthCalendar = lazy(() => import('./month-calendar'));

export function SchedulePage() {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const mayWrite = useScope('schedules:write');
  const query = useRead(['schedules', 'one', id], (carillon) => carillon.schedules.get({ path: { id } }));
  return (
    <Page
      title={query.data ? sendInWords(query.data.notification) : 'Schedule'}
      parent={{ title: 'Schedules', to: linkTo('/schedules') }}
      actions={query.data && mayWrite && <Actions schedule={query.data} />}
    >
      <Loaded query={query}>{(schedule) => <Details schedule={schedule} />}</Loaded>
    </Page>
  );
}

function Actions({ schedule: { id, state }, schedule }: { schedule: Schedule }) {
  const [opened, { open, close }] = useDisclosure(false);
  const { linkTo } = useViewContext();
  const navigate = useNavigate();
  const maySend = useScope('notifications:write');
  const changes = ['schedules'];
  const pause = useAction({
    run: (carillon) => carillon.schedules.pause({ path: { id } }),
    done: 'The schedule is paused',
    changes,
  });
  const resume = useAction({
    run: (carillon) => carillon.schedules.resume({ path: { id } }),
    done: 'The schedule is resumed',
    changes,
  });
  const remove = useAction({
    run: (carillon) => carillon.schedules.delete({ path: { id } }),
    done: 'The schedule is deleted',
    changes,
    removes: ['schedules', 'one', id],
    onDone: () => navigate(linkTo('/schedules'), { replace: true }),
  });
  return (
    <Group gap="xs">
      {maySend && (
        <Button variant="default" leftSection={<IconEdit size={16} aria-hidden />} onClick={open}>
          Edit
        </Button>
      )}
      {state === 'active' && (
        <Button variant="default" loading={pause.isPending} onClick={() => pause.mutate()}>
          Pause
        </Button>
      )}
      {state === 'paused' && maySend && (
        <Button loading={resume.isPending} onClick={() => resume.mutate()}>
          Resume
        </Button>
      )}
      <ConfirmButton
        title="Delete this schedule?"
        text="Notifications that it has sent stay. This cannot be undone."
        run={() => remove.mutateAsync()}
      >
        Delete
      </ConfirmButton>
      <ScheduleForm opened={opened} close={close} schedule={schedule} />
    </Group>
  );
}

function Details({ schedule }: { schedule: Schedule }) {
  return (
    <Stack>
      <Faults schedule={schedule} />
      <ScheduleFields schedule={schedule} />
      <Title order={2} size="h4">
        Calendar
      </Title>
      <Suspense fallback={<Skeleton h={280} />}>
        <MonthCalendar schedule={schedule} />
      </Suspense>
      {schedule.next.length > 0 && (
        <>
          <Title order={2} size="h4">
            Next, by the server
          </Title>
          <List size="sm">
            {schedule.next.map((next) => (
              <List.Item key={next}>{nextInWords(next, schedule.timezone)}</List.Item>
            ))}
          </List>
        </>
      )}
      <Title order={2} size="h4">
        Send
      </Title>
      <CodeBlock code={toJsonText(schedule.notification)} what="send" />
    </Stack>
  );
}

function Faults({ schedule: { rule_error, last_error, failures, state } }: { schedule: Schedule }) {
  return (
    <>
      {rule_error && (
        <Alert color="red" title="This rule does not fire">
          {rule_error}. Change the rule, then resume the schedule.
        </Alert>
      )}
      {last_error && (
        <Alert color={state === 'paused' ? 'red' : 'orange'} title="The last occurrence failed">
          {localInWords(last_error.occurrence)}: {last_error.message}. {failures} in a row; after ten the schedule is
          paused.
        </Alert>
      )}
    </>
  );
}

function ScheduleFields({ schedule }: { schedule: Schedule }) {
  const { linkTo } = useViewContext();
  const { state, rrule, timezone, starts_at_local, exdates, misfire, last_fired_at, last_notification_id } = schedule;
  return (
    <Fields
      fields={[
        ['State', <StateBadge key="state" state={state} />],
        ['When', ruleInWords(rrule, starts_at_local)],
        ['Rule', <Code key="rule">{rrule}</Code>],
        ['Time zone', timezone === 'recipient' ? 'the zone of each recipient' : timezone],
        ['Counts from', localInWords(starts_at_local)],
        ['Left out', exdates.join(', ')],
        ['If late', misfire === 'skip' ? 'left out' : 'sent once for all missed ones'],
        ['Last fired', last_fired_at && <Time value={last_fired_at} />],
        ['Last missed', schedule.last_missed_at && <Time value={schedule.last_missed_at} />],
        [
          'Last notification',
          last_notification_id && (
            <Anchor component={Link} to={linkTo(`/notifications/${last_notification_id}`)} size="sm">
              {last_notification_id}
            </Anchor>
          ),
        ],
      ]}
    />
  );
}
