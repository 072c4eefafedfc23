import { Button, Collapse, Group, Stack } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCode } from '@tabler/icons-react';
import { CodeBlock } from './code-block';
import { CopyAsCurl } from './copy-as-curl';

interface RawJsonProps {
  /** The answer of the API. */
  value: unknown;
  /** The route that answered, such as `/api/v1/deliveries/…`. */
  path: string;
}

/** The answer behind a page as JSON, and the command that reads it. */
export function RawJson({ value, path }: RawJsonProps) {
  const [opened, { toggle }] = useDisclosure(false);
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button
          size="xs"
          variant="default"
          leftSection={<IconCode size={14} aria-hidden />}
          aria-expanded={opened}
          onClick={toggle}
        >
          {opened ? 'Hide JSON' : 'Show JSON'}
        </Button>
        <CopyAsCurl path={path} />
      </Group>
      <Collapse expanded={opened}>
        <CodeBlock code={JSON.stringify(value, null, 2)} what="JSON" />
      </Collapse>
    </Stack>
  );
}
