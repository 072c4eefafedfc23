import { Button, CopyButton } from '@mantine/core';
import { IconCheck, IconTerminal2 } from '@tabler/icons-react';

/** Copies the command that makes the same call: a GET, or with a body a POST. */
export function CopyAsCurl({ path, body }: { path: string; body?: object }) {
  return (
    <CopyButton value={commandOf(path, body)}>
      {({ copied, copy }) => (
        <Button
          size="xs"
          variant="default"
          w="fit-content"
          leftSection={copied ? <IconCheck size={14} aria-hidden /> : <IconTerminal2 size={14} aria-hidden />}
          onClick={copy}
        >
          {copied ? 'Copied' : 'Copy as curl'}
        </Button>
      )}
    </CopyButton>
  );
}

function commandOf(path: string, body: object | undefined): string {
  const read = `curl '${location.origin}${path}' -H "X-API-Key: $CARILLON_API_KEY"`;
  if (body === undefined) return read;
  return `${read} -H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
}
