import { Badge, Stack, Text } from '@mantine/core';
import { wholeTime } from '../../page/time';
import type { Account } from './account-routes';

const BREAKERS = {
  closed: { label: 'works', color: 'green' },
  half_open: { label: 'being tried', color: 'yellow' },
  open: { label: 'paused', color: 'red' },
};

/** The breaker in words, with the last error of the provider. */
export function AccountHealth({ account: { enabled, health } }: { account: Account }) {
  if (!enabled)
    return (
      <Badge variant="light" color="gray" tt="none">
        switched off
      </Badge>
    );
  const { label, color } = BREAKERS[health.breaker];
  const cause = [health.code, health.detail].filter(Boolean).join(': ');
  return (
    <Stack gap={2} align="flex-start">
      <Badge variant="light" color={color} tt="none" className="state">
        {label}
      </Badge>
      {health.breaker !== 'closed' && (
        <Text size="xs">
          {cause}
          {health.since && ` Since ${wholeTime(health.since)}.`}
        </Text>
      )}
    </Stack>
  );
}
