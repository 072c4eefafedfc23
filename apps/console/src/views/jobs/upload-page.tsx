import { Stack, Text } from '@mantine/core';
import { useViewContext } from '../../api/view-context';
import { CodeBlock } from '../../page/code-block';
import { Page } from '../../page/page';

const EXAMPLE = `{"channel": "email", "template_id": "welcome", "payload": {"product": "Carillon"}}
{"recipient_id": "ann", "payload": {"name": "Ann"}}
{"recipient": {"id": "bob", "email": "bob@example.com"}}`;

/** A session of the console ends while a long request runs, so the API takes uploads with an API key only. */
export function UploadPage() {
  const { linkTo } = useViewContext();
  const command = [
    `curl -X POST ${location.origin}/api/v1/notifications/stream -H "X-API-Key: $KEY" \\`,
    `  -H 'Content-Type: application/x-ndjson' -H 'Idempotency-Key: ${crypto.randomUUID()}' -T people.ndjson`,
  ].join('\n');
  return (
    <Page
      title="Upload recipients"
      about={
        'Sends to up to a million recipients. ' +
        'A job sends to them in the background; it can be paused and cancelled.'
      }
      parent={{ title: 'Jobs', to: linkTo('/jobs') }}
    >
      <Stack maw={840}>
        <Text size="sm">
          The file is NDJSON: one JSON object on each line. The first line is what all have in common, as for a bulk
          send; each further line is one recipient. It has at most 1,000,000 lines and 1 GB.
        </Text>
        <CodeBlock code={EXAMPLE} what="example of people.ndjson" />
        <Text size="sm">
          An upload needs an API key, because it may last longer than a session here. The response is the job; it then
          appears under Jobs, with its progress and its rejected lines:
        </Text>
        <CodeBlock code={command} what="command that uploads the file" />
        <Text size="sm" c="dimmed">
          Nothing is sent before the whole file has arrived. The same Idempotency-Key and file get the same job again.
        </Text>
      </Stack>
    </Page>
  );
}
