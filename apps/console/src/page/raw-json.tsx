import { ActionIcon, Button, Code, Collapse, CopyButton, Group, Paper, Stack, Tooltip } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconCheck, IconCode, IconCopy, IconTerminal2 } from '@tabler/icons-react';

interface RawJsonProps {
  /** The answer of the API. */
  value: unknown;
  /** The route that answered, such as `/api/v1/deliveries/…`. */
  path: string;
}

/** The answer behind a page as JSON, and the command that reads it. */
export function RawJson({ value, path }: RawJsonProps) {
  const [opened, { toggle }] = useDisclosure(false);
  const text = JSON.stringify(value, null, 2);
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
        <JsonBlock text={text} />
      </Collapse>
    </Stack>
  );
}

/** A text in a fixed font with a button that copies it. */
export function JsonBlock({ text, what = 'JSON' }: { text: string; what?: string }) {
  return (
    <Paper withBorder pos="relative">
      <Code block tabIndex={0} role="region" aria-label={what} mah={420} style={{ overflow: 'auto' }}>
        {text}
      </Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? 'Copied' : 'Copy'}>
            <ActionIcon
              variant="default"
              pos="absolute"
              top={8}
              right={8}
              onClick={copy}
              aria-label={`Copy the ${what}`}
            >
              {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Paper>
  );
}

export function CopyAsCurl({ path }: { path: string }) {
  return (
    <CopyButton value={`curl '${location.origin}${path}' -H "X-API-Key: $CARILLON_API_KEY"`}>
      {({ copied, copy }) => (
        <Button
          size="xs"
          variant="default"
          leftSection={copied ? <IconCheck size={14} aria-hidden /> : <IconTerminal2 size={14} aria-hidden />}
          onClick={copy}
        >
          {copied ? 'Copied' : 'Copy as curl'}
        </Button>
      )}
    </CopyButton>
  );
}
