import { Alert, Paper, Progress, SimpleGrid, Stack, Text } from '@mantine/core';
import type { QuotaGetResponse } from '#client';
import { useRead } from '../../api/view-context';
import { Loaded } from '../../page/page';
import { Time } from '../../page/time';

const LIVE_MS = 10_000;
const WARNING_PERCENT = 80;

/** The tenant's own reading. The operator reads the same figures with the tenant. */
export function QuotaUse() {
  const query = useRead(['quota'], (carillon) => carillon.quota.get(), { refreshMs: LIVE_MS });
  return (
    <Stack>
      <Loaded query={query}>{(quota) => <QuotaBars quota={quota} />}</Loaded>
      <Alert color="blue" title="Caps of recipients">
        A cap limits how many messages one recipient gets. The operator sets those of the tenant; a recipient has caps
        of their own in their preferences. What happens beyond a cap is decided by the category, else by the cap.
      </Alert>
    </Stack>
  );
}

export function QuotaBars({ quota: { day, month } }: { quota: QuotaGetResponse }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }}>
      <Period title="This day" period={day} />
      <Period title="This month" period={month} />
    </SimpleGrid>
  );
}

function Period({ title, period }: { title: string; period: QuotaGetResponse['day'] }) {
  if (!period)
    return (
      <Paper withBorder p="md">
        <Text fw={600}>{title}</Text>
        <Text size="sm" c="dimmed">
          No quota: the number of deliveries is not limited.
        </Text>
      </Paper>
    );
  const percent = (100 * period.used) / period.allowed;
  const color = percent >= 100 ? 'red' : percent >= WARNING_PERCENT ? 'orange' : 'teal';
  return (
    <Paper withBorder p="md">
      <Stack gap={6}>
        <Text fw={600}>{title}</Text>
        <Text size="sm">
          {period.used.toLocaleString()} of {period.allowed.toLocaleString()} deliveries
        </Text>
        <Progress
          value={Math.min(100, percent)}
          color={color}
          size="lg"
          aria-label={`${title}: ${Math.floor(percent)} percent used`}
        />
        <Text size="sm" c="dimmed" component="div">
          {period.remaining.toLocaleString()} left; it begins again <Time value={period.ends_at} />
          {period.remaining === 0 && '. Further deliveries wait until then.'}
        </Text>
      </Stack>
    </Paper>
  );
}
