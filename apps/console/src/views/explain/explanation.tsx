import { Group, Paper, Stack, Text, Title } from '@mantine/core';
import type { Explanation as Answer, DeliveryExplanation, SendNotification } from '#client';
import { CodeBlock } from '../../page/code-block';
import { CopyAsCurl } from '../../page/copy-as-curl';
import { StateBadge } from '../../page/state-badge';
import { wholeTime } from '../../page/time';
import { channelTitle } from '../../words/channels';
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
      <CopyAsCurl path="/api/v1/notifications/explain" body={sent} />
    </>
  );
}

function ExplainedDelivery({ delivery }: { delivery: DeliveryExplanation }) {
  const { channel, recipient_id, state, reason, due_at, when_due, message } = delivery;
  const why = reasonText(reason, state === 'waiting');
  return (
    <Paper withBorder p="md" component="section" aria-label={`${channelTitle(channel)} to ${recipient_id}`}>
      <Stack gap="sm">
        <Group gap="xs">
          <Title order={2} size="h5">
            {channelTitle(channel)} to {recipient_id}
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
            <CodeBlock code={JSON.stringify(message, null, 2)} what="message" />
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
