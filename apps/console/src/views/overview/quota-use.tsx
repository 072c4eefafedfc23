import { Group, Paper, Progress, Stack, Text, Title } from '@mantine/core';
import { useRead } from '../../api/scope';
import { timeInWords } from '../../page/time';

/** How much of the tenant's quotas is used. Nothing for a tenant without quotas. */
export function QuotaUse() {
  const { data } = useRead(['quota'], (carillon) => carillon.quota.get(), { refreshMs: 30_000 });
  if (!data || (data.day === null && data.month === null)) return null;
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="quota">
      <Title order={2} size="h6" mb="xs" id="quota">
        Quota
      </Title>
      <Stack gap="sm">
        {(['day', 'month'] as const).map((period) => {
          const quota = data[period];
          return quota && <Used key={period} name={period === 'day' ? 'Today' : 'This month'} {...quota} />;
        })}
      </Stack>
    </Paper>
  );
}

function Used({ name, allowed, used, ends_at }: { name: string; allowed: number; used: number; ends_at: string }) {
  const percent = allowed === 0 ? 100 : Math.min(100, (100 * used) / allowed);
  return (
    <div>
      <Group justify="space-between" mb={4}>
        <Text size="sm">
          {name}: {used.toLocaleString()} of {allowed.toLocaleString()} deliveries
        </Text>
        <Text size="xs" c="dimmed">
          ends {timeInWords(ends_at, Date.now())}
        </Text>
      </Group>
      <Progress value={percent} color={percent >= 100 ? 'red' : percent >= 80 ? 'orange' : 'teal'} aria-label={name} />
    </div>
  );
}
