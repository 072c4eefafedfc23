import { Select, SimpleGrid, TagsInput, TextInput } from '@mantine/core';
import { useNavigate } from 'react-router';
import type { SchedulesCreateData } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { TIME_ZONES } from '../../form/time-zones';
import { FormDialog } from '../../page/form-dialog';
import { JsonField, parseObject, toJsonText } from '../../page/json-field';
import { RuleFields } from './rule-fields';
import type { Schedule } from './schedule';

type Body = SchedulesCreateData['body'];

interface Values {
  rrule: string;
  timezone: string;
  /** Empty: the minute of creation. */
  startsAt: string;
  exdates: string[];
  misfire: string;
  /** The body of a send as JSON. */
  notification: string;
}

const EXAMPLE = { recipient_id: 'user-17', channel: 'email', template_id: 'welcome', payload: { name: 'Ann' } };

const ZONE_CHOICES = [
  { value: 'recipient', label: 'The zone of each recipient' },
  ...TIME_ZONES.map((value) => ({ value, label: value })),
];

/** With the zone of the schedule, which may have an older name. */
function zoneChoices(current: string) {
  if (ZONE_CHOICES.some(({ value }) => value === current)) return ZONE_CHOICES;
  return [...ZONE_CHOICES, { value: current, label: current }];
}

function newValues(): Values {
  return {
    rrule: 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0',
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    startsAt: '',
    exdates: [],
    misfire: 'fire_once',
    notification: toJsonText(EXAMPLE),
  };
}

function valuesOf(schedule: Schedule): Values {
  const { rrule, timezone, starts_at_local, exdates, misfire, notification } = schedule;
  return { rrule, timezone, startsAt: starts_at_local, exdates, misfire, notification: toJsonText(notification) };
}

function bodyOf({ rrule, timezone, startsAt, exdates, misfire, notification }: Values): Body {
  const send = parseObject(notification);
  if (typeof send === 'string') throw new Error(`The send ${send}`);
  const start = startsAt ? { starts_at_local: startsAt.padEnd(19, ':00') } : {};
  return { rrule, timezone, ...start, exdates, misfire, notification: send } as Body;
}

interface ScheduleFormProps {
  opened: boolean;
  close: () => void;
  /** The schedule to change. */
  schedule?: Schedule;
}

export function ScheduleForm({ opened, close, schedule }: ScheduleFormProps) {
  const navigate = useNavigate();
  const { linkTo } = useViewContext();
  const save = useAction({
    run: (carillon, values: Values) => {
      const body = bodyOf(values);
      return schedule
        ? carillon.schedules.update({ path: { id: schedule.id }, body })
        : carillon.schedules.create({ body });
    },
    done: 'The schedule is saved',
    changes: ['schedules'],
    onDone: ({ id }) => schedule ?? navigate(linkTo(`/schedules/${id}`)),
    quiet: true,
  });
  return (
    <FormDialog
      title={schedule ? 'Edit the schedule' : 'Create a schedule'}
      confirm={schedule ? 'Save' : 'Create'}
      opened={opened}
      close={close}
      size="xl"
      initial={schedule ? valuesOf(schedule) : newValues()}
      run={save.mutateAsync}
    >
      {({ values, set, faultOf }) => (
        <>
          <RuleFields rrule={values.rrule} change={(rrule) => set({ rrule })} error={faultOf('rrule')} />
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select
              label="Time zone"
              data={zoneChoices(values.timezone)}
              value={values.timezone}
              onChange={(timezone) => set({ timezone: timezone ?? 'UTC' })}
              error={faultOf('timezone')}
              searchable
              allowDeselect={false}
            />
            <TextInput
              type="datetime-local"
              label="Counts from"
              description="A local time. Empty: now."
              value={values.startsAt}
              onChange={(event) => set({ startsAt: event.currentTarget.value })}
              error={faultOf('starts_at_local')}
            />
            <TagsInput
              label="Left out"
              description="Days, or local times, on which it does not send."
              placeholder="2026-12-25"
              value={values.exdates}
              onChange={(exdates) => set({ exdates })}
              error={faultOf('exdates')}
            />
            <Select
              label="More than a minute late"
              description="For example if no worker ran."
              data={[
                { value: 'fire_once', label: 'send once for all missed ones' },
                { value: 'skip', label: 'leave them out' },
              ]}
              value={values.misfire}
              onChange={(misfire) => set({ misfire: misfire ?? 'fire_once' })}
              allowDeselect={false}
            />
          </SimpleGrid>
          <JsonField
            label="Send"
            description='As for POST /api/v1/notifications, to "recipient_id" or to "topic", without times.'
            minRows={6}
            value={values.notification}
            onChange={(notification) => set({ notification })}
            error={faultOf('notification')}
          />
        </>
      )}
    </FormDialog>
  );
}
