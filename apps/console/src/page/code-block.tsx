import { ActionIcon, Box, Code, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

/** Code to read and to copy. Long lines scroll inside the block. */
export function CodeBlock({ code, label }: { code: string; label: string }) {
  return (
    <Box pos="relative" component="section" aria-label={label}>
      <Code block tabIndex={0} style={{ overflowX: 'auto', paddingRight: 48 }}>
        {code}
      </Code>
      <CopyButton value={code}>
        {({ copied, copy }) => (
          <ActionIcon variant="default" pos="absolute" top={8} right={8} onClick={copy} aria-label={`Copy: ${label}`}>
            {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
          </ActionIcon>
        )}
      </CopyButton>
    </Box>
  );
}
