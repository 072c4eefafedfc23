import { Stack, Text } from '@mantine/core';
import { CodeBlock } from '../../page/code-block';

const CODE = `import { verifyWebhook } from '@carillon/client';
import { createServer } from 'node:http';
import { env } from 'node:process';
import { text } from 'node:stream/consumers';

createServer(async (request, response) => {
  const body = await text(request); // as it arrived: a parsed body has another signature
  try {
    const event = verifyWebhook(env.CARILLON_WEBHOOK_SECRET, request.headers, body);
    console.log(event.type, event.data);
    response.writeHead(204).end();
  } catch {
    response.writeHead(401).end();
  }
}).listen(3000);`;

export function VerifyCall() {
  return (
    <Stack gap="sm">
      <Text size="sm" maw={720}>
        Each call is signed with the secret of the endpoint, by Standard Webhooks. An answer from 200 to 299 within ten
        seconds is a success; anything else is tried again. Remember the header webhook-id for a day: a repeated event
        has the same.
      </Text>
      <CodeBlock code={CODE} what="code that verifies a call" />
      <Text size="sm" c="dimmed" maw={720}>
        During a rotation, pass both secrets: verifyWebhook([newSecret, oldSecret], request.headers, body).
      </Text>
    </Stack>
  );
}
