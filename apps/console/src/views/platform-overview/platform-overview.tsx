import { Grid, Stack } from '@mantine/core';
import type { Overview } from '#client';
import { useRead } from '../../api/view-context';
import { type Figure, Figures } from '../../page/figures';
import { Loaded, Page } from '../../page/page';
import { shortDuration } from '../../words/amounts';
import { Breakers } from './breakers';
import { PlatformCharts } from './platform-charts';
import { PoisonMessages } from './poison-messages';
import { Channels, DueTenants } from './queues';

const REFRESH_MS = 5_000;
/** Seconds. The alert CarillonOldestDueTooOld has the same limit. */
const OLD = 60;

/** The queues of the whole installation, and what keeps them from being empty. */
export default function PlatformOverview() {
  const overview = useRead(['overview'], (carillon) => carillon.overview.get(), { refreshMs: REFRESH_MS });
  return (
    <Page title="Overview" about="All tenants together, read again every few seconds.">
      <Loaded query={overview}>
        {(found) => (
          <Stack>
            <Figures name="Queue" figures={figuresOf(found)} />
            <Breakers breakers={found.breakers} />
            <Grid gap="md">
              <Grid.Col span={{ base: 12, md: 6 }}>
                <Channels channels={found.channels} countedAt={found.counted_at} />
              </Grid.Col>
              <Grid.Col span={{ base: 12, md: 6 }}>
                <DueTenants tenants={found.tenants} />
              </Grid.Col>
            </Grid>
            <PoisonMessages />
          </Stack>
        )}
      </Loaded>
      <PlatformCharts />
    </Page>
  );
}

/** Dead letters are counted up to this number. */
const MOST_COUNTED = 10_000;

function figuresOf({ waiting, due, in_flight, oldest_due_seconds, dead_letters, breakers }: Overview): Figure[] {
  const letters = dead_letters.toLocaleString();
  return [
    { label: 'Waiting', value: waiting.toLocaleString() },
    { label: 'Due', value: due.toLocaleString() },
    { label: 'Being sent', value: in_flight.toLocaleString() },
    { label: 'Oldest due', value: shortDuration(1_000 * oldest_due_seconds), isBad: oldest_due_seconds > OLD },
    {
      label: 'Dead letters',
      value: dead_letters >= MOST_COUNTED ? `${letters} or more` : letters,
      to: '/dead-letters',
      isBad: dead_letters > 0,
    },
    { label: 'Accounts that do not work', value: breakers.length.toLocaleString(), isBad: breakers.length > 0 },
  ];
}
