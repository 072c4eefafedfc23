import { Paper, Stack, Text, Title } from '@mantine/core';
import { CodeBlock } from '../../page/code-block';

/** Shown until a tenant has sent something. */
export function FirstNotification() {
  const command = [
    `curl -X POST '${location.origin}/api/v1/notifications' \\`,
    `  -H "X-API-Key: $CARILLON_API_KEY" -H 'Content-Type: application/json' \\`,
    `  -d '${JSON.stringify({
      recipient: { id: 'user-17', email: 'ann@example.com' },
      channel: 'email',
      content: { subject: 'Hello', text: 'The first notification' },
    })}'`,
  ].join('\n');
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="first">
      <Stack gap="sm">
        <Title order={2} size="h4" id="first">
          Send your first notification
        </Title>
        <Text size="sm">
          Run this with an API key that has the scope notifications:write. This page shows it as soon as it is accepted.
        </Text>
        <CodeBlock code={command} what="command" />
      </Stack>
    </Paper>
  );
}
