import { notifications } from '@mantine/notifications';
import { failureOf } from '../api/failures';

const closeButtonProps = { 'aria-label': 'Close' };

export function notifyDone(message: string): void {
  notifications.show({ message, color: 'teal', role: 'status', closeButtonProps });
}

/** Stays until it is closed, so that it can be read and its request id copied. */
export function notifyFailure(error: unknown): void {
  const { title, text, requestId } = failureOf(error);
  const message = requestId ? `${text} (request ${requestId})` : text;
  notifications.show({ title, message, color: 'red', autoClose: false, role: 'alert', closeButtonProps });
}
