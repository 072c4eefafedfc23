import { Badge, Group, Text } from '@mantine/core';
import { Time } from '../../page/time';
import type { Endpoint } from './endpoint';

const DISABLED = {
  gone: 'it answered 410 Gone',
  failing: 'its deliveries failed for five days',
};

export function EndpointHealth({ endpoint }: { endpoint: Endpoint }) {
  const { enabled, disabled_reason, failing_since } = endpoint;
  if (!enabled)
    return (
      <Group gap={6}>
        <HealthBadge color="orange" text="disabled" />
        {disabled_reason && <Text size="xs">{DISABLED[disabled_reason]}</Text>}
      </Group>
    );
  if (failing_since)
    return (
      <Group gap={6}>
        <HealthBadge color="red" text="failing" />
        <Text size="xs" component="div">
          since <Time value={failing_since} />
        </Text>
      </Group>
    );
  return <HealthBadge color="teal" text="enabled" />;
}

function HealthBadge({ color, text }: { color: string; text: string }) {
  return (
    <Badge variant="light" color={color} tt="none" className="state">
      {text}
    </Badge>
  );
}
