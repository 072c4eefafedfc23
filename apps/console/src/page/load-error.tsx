import { Alert, Button, Code, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { failureOf } from '../api/failures';

export function LoadError({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const { title, text, requestId } = failureOf(error);
  return (
    <Alert color="red" role="alert" title={title} icon={<IconAlertTriangle aria-hidden />} maw={640}>
      <Text size="sm">{text}</Text>
      <Group mt="sm">
        {retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
        {requestId && (
          <Text size="xs">
            Request <Code>{requestId}</Code>
          </Text>
        )}
      </Group>
    </Alert>
  );
}
