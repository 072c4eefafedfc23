import { Button } from '@mantine/core';
import type { Notification } from '#client';
import { useAction } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { useScope } from '../../session/session';

const CHANGES = ['notifications', 'deliveries'];

/** Cancels what has not been sent; pauses and resumes the reading of a topic's members. */
export function NotificationActions({ notification }: { notification: Notification }) {
  const path = { id: notification.id };
  const cancel = useAction({
    run: (carillon) => carillon.notifications.cancel({ path }),
    done: 'What had not been sent is cancelled',
    changes: CHANGES,
  });
  const pause = useAction({
    run: (carillon) => carillon.notifications.pause({ path }),
    done: 'The send is paused',
    changes: CHANGES,
  });
  const resume = useAction({
    run: (carillon) => carillon.notifications.resume({ path }),
    done: 'The send is resumed',
    changes: CHANGES,
  });
  if (!useScope('notifications:write')) return null;
  const isOpen = notification.status === 'pending' || notification.status === 'active';
  const fanOut = notification.fan_out?.state;
  return (
    <>
      {fanOut === 'running' && (
        <Button size="xs" variant="default" loading={pause.isPending} onClick={() => pause.mutate()}>
          Pause
        </Button>
      )}
      {fanOut === 'paused' && (
        <Button size="xs" loading={resume.isPending} onClick={() => resume.mutate()}>
          Resume
        </Button>
      )}
      {(isOpen || fanOut === 'running' || fanOut === 'paused') && (
        <ConfirmButton
          size="xs"
          title="Cancel this notification?"
          text="Deliveries that have not been sent are not sent any more. This cannot be undone."
          confirm="Cancel the notification"
          run={() => cancel.mutateAsync()}
        >
          Cancel
        </ConfirmButton>
      )}
    </>
  );
}
