import { ActionIcon, Code, CopyButton, Paper, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

/** Code or JSON to read and to copy. What is too wide or too long scrolls inside the block. */
export function CodeBlock({ code, what }: { code: string; what: string }) {
  return (
    <Paper withBorder pos="relative">
      <Code block tabIndex={0} role="region" aria-label={what} mah={420} style={{ overflow: 'auto', paddingRight: 48 }}>
        {code}
      </Code>
      <CopyButton value={code}>
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
