import { Checkbox, Group, Text, Textarea } from '@mantine/core';
import type { SubscriptionsSubscribeData } from '#client';
import { useAction } from '../../api/view-context';
import { FormDialog } from '../../page/form-dialog';
import { counted } from '../../words/amounts';
import { RECIPIENT_CHANNEL_CHOICES } from '../../words/channels';

/** Of one request. */
const MAX_IDS = 1_000;

type Channels = SubscriptionsSubscribeData['body']['channels'];

interface AddSubscriptionsProps {
  topic: string;
  opened: boolean;
  close: () => void;
}

const EMPTY = { text: '', channels: [] as string[] };

/** Any number of ids; each request subscribes a thousand. */
export function AddSubscriptions({ topic, opened, close }: AddSubscriptionsProps) {
  const add = useAction({
    run: async (carillon, { text, channels }: typeof EMPTY) => {
      const ids = idsOf(text);
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
      const others = already ? `, ${already.toLocaleString()} already were` : '';
      return `${counted(subscribed, 'recipient')} subscribed${others}`;
    },
    changes: ['topics', 'subscriptions'],
    quiet: true,
  });
  return (
    <FormDialog
      title="Add recipients"
      confirm="Subscribe"
      opened={opened}
      close={close}
      initial={EMPTY}
      run={add.mutateAsync}
    >
      {({ values, set, faultOf }) => (
        <>
          <Textarea
            label="Recipients"
            description="Their ids, one on each line or with commas between them."
            placeholder={'user-17\nuser-18'}
            autosize
            minRows={4}
            maxRows={12}
            value={values.text}
            onChange={(event) => set({ text: event.currentTarget.value })}
            error={faultOf('recipient_ids')}
            required
            data-autofocus
          />
          <Text size="sm" c="dimmed" aria-live="polite">
            {counted(idsOf(values.text).length, 'recipient')}
          </Text>
          <Checkbox.Group
            label="Channels"
            description="Choose none for all channels of a send. Existing subscriptions keep theirs then."
            value={values.channels}
            onChange={(channels) => set({ channels })}
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
