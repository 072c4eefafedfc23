import { Checkbox, Group, Text, Textarea } from '@mantine/core';
import { useState } from 'react';
import type { SubscriptionsSubscribeData } from '#client';
import { useAction } from '../../api/scope';
import { counted } from '../../job/job-progress';
import { FormDialog } from '../../page/form-dialog';
import { RECIPIENT_CHANNEL_CHOICES } from '../../words/choices';

/** Of one request. */
const MAX_IDS = 1_000;

type Channels = SubscriptionsSubscribeData['body']['channels'];

interface AddSubscriptionsProps {
  topic: string;
  opened: boolean;
  close: () => void;
}

/** Any number of ids; each request subscribes a thousand. */
export function AddSubscriptions({ topic, opened, close }: AddSubscriptionsProps) {
  const [text, setText] = useState('');
  const [channels, setChannels] = useState<string[]>([]);
  const ids = idsOf(text);
  const add = useAction({
    run: async (carillon) => {
      let [subscribed, already] = [0, 0];
      for (let from = 0; from < ids.length; from += MAX_IDS) {
        const body = {
          recipient_ids: ids.slice(from, from + MAX_IDS),
          ...(channels.length > 0 && { channels: channels as NonNullable<Channels> }),
        };
        const answer = await carillon.subscriptions.subscribe({ path: { key: topic }, body });
        subscribed += answer.subscribed;
        already += answer.already;
      }
      return { subscribed, already };
    },
    done: ({ subscribed, already }) => {
      const others = already ? `, ${already.toLocaleString('en')} already were` : '';
      return `${counted(subscribed, 'recipient')} subscribed${others}`;
    },
    changes: ['topics', 'subscriptions'],
    onDone: () => setText(''),
    quiet: true,
  });
  return (
    <FormDialog title="Add recipients" confirm="Subscribe" opened={opened} close={close} run={() => add.mutateAsync()}>
      {(faultOf) => (
        <>
          <Textarea
            label="Recipients"
            description="Their ids, one on each line or with commas between them."
            placeholder={'user-17\nuser-18'}
            autosize
            minRows={4}
            maxRows={12}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            error={faultOf('recipient_ids')}
            required
            data-autofocus
          />
          <Text size="sm" c="dimmed" aria-live="polite">
            {counted(ids.length, 'recipient')}
          </Text>
          <Checkbox.Group
            label="Channels"
            description="Choose none for all channels of a send. Existing subscriptions keep theirs then."
            value={channels}
            onChange={setChannels}
          >
            <Group mt="xs">
              {RECIPIENT_CHANNEL_CHOICES.map(({ value, label }) => (
                <Checkbox key={value} value={value} label={label} />
              ))}
            </Group>
          </Checkbox.Group>
        </>
      )}
    </FormDialog>
  );
}

function idsOf(text: string): string[] {
  return [...new Set(text.split(/[\n,]/).map((id) => id.trim()))].filter((id) => id !== '');
}
