import { Button, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { DeliveryWithTimeline } from '#client';
import { useAction, useRead } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { useScope } from '../../session/session';

/** Changes of the delivery itself: its replay from the dead letters, and the settling of an unknown outcome. */
export function DeliveryActions({ delivery }: { delivery: DeliveryWithTimeline }) {
  const mayFind = useScope('dead_letters:read');
  const mayReplay = useScope('dead_letters:write');
  const maySettle = useScope('notifications:write');
  if (delivery.state === 'failed' && mayFind && mayReplay) return <ReplayButton delivery={delivery} />;
  if (delivery.state === 'unknown' && maySettle) return <SettleButtons id={delivery.id} />;
  return null;
}

const CHANGES = ['deliveries', 'notifications', 'dead_letters'];
/** The dead letter is written in the same transaction as the entry of the timeline. */
const CLOCK_MS = 1_000;

function ReplayButton({ delivery }: { delivery: DeliveryWithTimeline }) {
  const failure = delivery.timeline.findLast(({ code }) => code === 'failed' || code === 'settled');
  const failedAt = Date.parse(failure?.at ?? '');
  const letter = useRead(['dead_letters', 'of', delivery.id], async (carillon) => {
    if (Number.isNaN(failedAt)) return null;
    const letters = carillon.each.tenantDeadLetters.list({
      query: {
        channel: delivery.channel,
        failed_after: new Date(failedAt - CLOCK_MS).toISOString(),
        failed_before: new Date(failedAt + CLOCK_MS).toISOString(),
        unreplayed: 'true',
        limit: 200,
      },
    });
    for await (const found of letters) if (found.delivery_id === delivery.id) return found.id;
    return null;
  });
  const replay = useAction({
    run: (carillon, id: string) => carillon.tenantDeadLetters.replay({ path: { id } }),
    done: 'The delivery is back in the queue',
    changes: CHANGES,
  });
  const id = letter.data;
  if (!id) return null;
  return (
    <Button size="xs" loading={replay.isPending} onClick={() => replay.mutate(id)}>
      Replay
    </Button>
  );
}

function SettleButtons({ id }: { id: string }) {
  const [note, setNote] = useState('');
  const settle = useAction({
    run: (carillon, state: 'sent' | 'failed') =>
      carillon.deliveries.settle({ path: { id }, body: { state, ...(note.trim() && { note: note.trim() }) } }),
    done: 'The outcome is settled',
    changes: CHANGES,
  });
  const dialogText = (consequence: string) => (
    <>
      <Text span size="sm">
        {consequence} This cannot be undone.
      </Text>
      <TextInput
        label="How you know"
        description="Shown in the timeline"
        mt="sm"
        maxLength={1_000}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
    </>
  );
  return (
    <>
      <ConfirmButton
        size="xs"
        color="teal.9"
        title="Settle as sent?"
        text={dialogText('The recipient has the message.')}
        run={() => settle.mutateAsync('sent')}
      >
        Settle as sent
      </ConfirmButton>
      <ConfirmButton
        size="xs"
        title="Settle as not sent?"
        text={dialogText(
          'The recipient does not have the message. The delivery becomes a dead letter, which can be replayed.',
        )}
        run={() => settle.mutateAsync('failed')}
      >
        Settle as not sent
      </ConfirmButton>
    </>
  );
}
