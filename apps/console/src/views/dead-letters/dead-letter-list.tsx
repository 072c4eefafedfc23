import { Button, Group } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { Link, useSearchParams } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { type Filter, filterValues } from '../../list/list-filters';
import { Page } from '../../page/page';
import { StateBadge } from '../../page/state-badge';
import { Time } from '../../page/time';
import { CHANNEL_CHOICES, channelName } from '../../words/channels';
import { failedReasons } from '../../words/failed-reasons';
import { BulkReplay } from './bulk-replay';
import type { DeadLetter } from './dead-letter-calls';
import type { DeadLetterPagesProps } from './dead-letter-rights';
import { ReasonGroups } from './reason-groups';

const columns: readonly Column<DeadLetter>[] = [
  { id: 'recipient', label: 'Recipient', cell: ({ recipient_id }) => recipient_id },
  { id: 'reason', label: 'Reason', cell: ({ reason }) => failedReasons[reason] },
  { id: 'channel', label: 'Channel', cell: ({ channel }) => channelName(channel) },
  {
    id: 'provider',
    label: 'Provider',
    cell: ({ provider, code }) => [provider, code].filter(Boolean).join(', ') || '–',
  },
  { id: 'attempts', label: 'Attempts', cell: ({ attempts }) => attempts },
  { id: 'failed_at', label: 'Failed', cell: ({ failed_at }) => <Time value={failed_at} /> },
  { id: 'state', label: 'State', cell: (letter) => <StateBadge state={stateOf(letter)} /> },
];

const filters: readonly Filter[] = [
  {
    name: 'reason',
    label: 'Reason',
    kind: 'choice',
    choices: Object.entries(failedReasons).map(([value, label]) => ({ value, label })),
  },
  { name: 'channel', label: 'Channel', kind: 'choice', choices: CHANNEL_CHOICES },
  { name: 'provider', label: 'Provider', kind: 'text', placeholder: 'twilio' },
  { name: 'code', label: "Provider's code", kind: 'text', placeholder: '21610' },
  { name: 'failed_after', label: 'Failed after', kind: 'time' },
  { name: 'failed_before', label: 'Failed before', kind: 'time' },
  { name: 'unreplayed', label: 'Open', kind: 'choice', choices: [{ value: 'true', label: 'only open ones' }] },
];

const operatorFilters: readonly Filter[] = [
  ...filters,
  { name: 'tenant_id', label: 'Tenant', kind: 'text', placeholder: 'Id of the tenant' },
];

export function stateOf({ replayed_at, settled_at }: DeadLetter): string {
  return replayed_at ? 'replayed' : settled_at ? 'settled' : 'open';
}

export function DeadLetterList({ calls, rights }: DeadLetterPagesProps) {
  const { linkTo } = useViewContext();
  const [parameters] = useSearchParams();
  const shown = calls.isOperator ? operatorFilters : filters;
  const values = filterValues(shown, parameters);
  return (
    <Page
      title="Dead letters"
      about={
        'Deliveries that failed for good. Correct the cause, then replay them: ' +
        'they go back into the queue with all their retries.'
      }
      actions={
        <Group gap="xs">
          {rights.maySeeReplays && (
            <Button
              component={Link}
              to={linkTo('/dead-letters/replays')}
              variant="default"
              leftSection={<IconHistory size={16} aria-hidden />}
            >
              Replays
            </Button>
          )}
          {rights.mayWrite && <BulkReplay calls={calls} filter={values} filters={shown} />}
        </Group>
      }
    >
      <ReasonGroups calls={calls} filter={values} />
      <List<DeadLetter>
        name="dead_letters"
        columns={columns}
        load={calls.list}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/dead-letters/${id}`)}
        filters={shown}
        empty={{
          title: 'No dead letters',
          text: 'No delivery has failed for good. One that does is listed here with its reason and what to do.',
        }}
      />
    </Page>
  );
}
