import { Anchor, Badge } from '@mantine/core';
import { Link } from 'react-router';
import type { Overview } from '#client';
import { wholeTime } from '../../page/time';
import { shortDuration } from '../../words/amounts';
import { channelName } from '../../words/channels';
import { SectionTable } from './section-table';

interface ChannelsProps {
  channels: Overview['channels'];
  countedAt: string;
}

export function Channels({ channels, countedAt }: ChannelsProps) {
  const rows = Object.entries(channels).map(([channel, { waiting, due, in_flight, oldest_due_seconds }]) => ({
    id: channel,
    cells: [
      channelName(channel),
      waiting.toLocaleString(),
      due.toLocaleString(),
      in_flight.toLocaleString(),
      shortDuration(1_000 * oldest_due_seconds),
    ],
  }));
  return (
    <SectionTable
      title="Channels"
      about={`Counted at ${wholeTime(countedAt)}`}
      head={['Channel', 'Waiting', 'Due', 'Being sent', 'Oldest due']}
      rows={rows}
      none="No channels."
    />
  );
}

export function DueTenants({ tenants }: { tenants: Overview['tenants'] }) {
  const rows = tenants.map(({ id, name, test_of, due }) => ({
    id,
    cells: [
      <span key="name">
        <Anchor component={Link} to={`/t/${id}`} size="sm">
          {name}
        </Anchor>{' '}
        {test_of !== null && (
          <Badge size="sm" color="orange" variant="light">
            test
          </Badge>
        )}
      </span>,
      due.toLocaleString(),
    ],
  }));
  return (
    <SectionTable
      title="Tenants with the most due deliveries"
      head={['Tenant', 'Due']}
      rows={rows}
      none="No delivery is due: the workers keep up."
    />
  );
}
