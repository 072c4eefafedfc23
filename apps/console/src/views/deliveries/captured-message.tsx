import { Button, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMail } from '@tabler/icons-react';
import type { DeliveryWithTimeline } from '#client';
import { useRead } from '../../api/view-context';
import { CodeBlock } from '../../page/code-block';
import { Loaded } from '../../page/page';
import { useScope } from '../../session/session';

/** The mailbox cannot be searched by delivery. */
const SEARCHED = 200;

/** The rendered message of a delivery through the sandbox. It is personal data, so it is shown on demand only. */
export function CapturedMessage({ delivery }: { delivery: DeliveryWithTimeline }) {
  const [opened, { toggle }] = useDisclosure(false);
  const mayRead = useScope('mailbox:read');
  const { id, channel, provider } = delivery;
  const message = useRead(
    ['mailbox', id],
    async (carillon) => {
      const { data } = await carillon.mailbox.list({ query: { channel, limit: SEARCHED } });
      return data.find(({ delivery_id }) => delivery_id === id)?.message ?? null;
    },
    { enabled: opened },
  );
  if (provider !== 'sandbox' || !mayRead) return null;
  return (
    <Stack gap="xs">
      <Button
        size="xs"
        variant="default"
        w="fit-content"
        leftSection={<IconMail size={14} aria-hidden />}
        aria-expanded={opened}
        onClick={toggle}
      >
        {opened ? 'Hide the message' : 'Show the message'}
      </Button>
      {opened && (
        <Loaded query={message}>
          {(found) =>
            found ? (
              <CodeBlock code={JSON.stringify(found, null, 2)} what="message" />
            ) : (
              <Text size="sm">It is not among the newest {SEARCHED} messages of the mailbox.</Text>
            )
          }
        </Loaded>
      )}
    </Stack>
  );
}
