import { Button, CopyButton, Group, Paper, Stack, Text, Title } from '@mantine/core';
import { IconCheck, IconTerminal2 } from '@tabler/icons-react';
import type { Explanation as Answer, DeliveryExplanation, SendNotification } from '#client';
import { JsonBlock } from '../../page/raw-json';
import { StateBadge } from '../../page/state-badge';
import { wholeTime } from '../../page/time';
import { channelNames } from '../../words/delivery-states';
import { reasonText } from '../../words/reasons';
import { Words } from '../../words/words';
import { ExplainedSteps } from './explained-steps';

/** The answer to one question: for each delivery of the send, the decision and the steps that led to it. */
export function Explanation({ explanation, sent }: { explanation: Answer; sent: SendNotification }) {
  return (
    <>
      {explanation.deliveries.map((delivery, index) => (
        // A delivery that moves to the inbox is followed by another one on a channel that may be there already.
        // biome-ignore lint/suspicious/noArrayIndexKey: the list belongs to one answer and does not change.
        <ExplainedDelivery key={index} delivery={delivery} />
      ))}
      <CopyExplain body={sent} />
    </>
  );
}

function ExplainedDelivery({ delivery }: { delivery: DeliveryExplanation }) {
  const { channel, recipient_id, state, reason, due_at, when_due, message } = delivery;
  const why = reasonText(reason, state === 'waiting');
  return (
    <Paper withBorder p="md" component="section" aria-label={`${channelNames[channel]} to ${recipient_id}`}>
      <Stack gap="sm">
        <Group gap="xs">
          <Title order={2} size="h5">
            {channelNames[channel]} to {recipient_id}
          </Title>
          <StateBadge state={state} />
        </Group>
        <Text>
          <Words text={why?.meaning ?? SENTENCES[state] ?? state} isSentence />
          {due_at !== null && ` It waits until ${wholeTime(due_at)}.`}
        </Text>
        {when_due && (
          <Text>
            Then, if nothing changes: <StateBadge state={when_due.state} />{' '}
            {when_due.reason && (
              <Words text={reasonText(when_due.reason, when_due.state === 'waiting')?.meaning ?? ''} isSentence />
            )}
          </Text>
        )}
        {why && (
          <Text size="sm">
            <b>What to do:</b> <Words text={why.advice} isSentence />
          </Text>
        )}
        <ExplainedSteps delivery={delivery} />
        {message && (
          <>
            <Title order={3} size="h6">
              The message
            </Title>
            <JsonBlock text={JSON.stringify(message, null, 2)} what="message" />
          </>
        )}
      </Stack>
    </Paper>
  );
}

const SENTENCES: Partial<Record<DeliveryExplanation['state'], string>> = {
  sent: 'It would be handed to the provider',
  expired: 'It would expire before it is sent',
};

function CopyExplain({ body }: { body: SendNotification }) {
  const command =
    `curl -X POST '${location.origin}/api/v1/notifications/explain' -H "X-API-Key: $CARILLON_API_KEY" ` +
    `-H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
  return (
    <CopyButton value={command}>
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
