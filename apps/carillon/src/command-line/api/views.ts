/** The fields of the API's answers that commands read. With `--json` they print the answers as they are. */
export interface DeliveryAnswer {
  id: string;
  channel: string;
  recipient_id: string;
  state: string;
  reason: string | null;
  due_at: string | null;
  provider: string | null;
  attempts: number;
  created_at: string;
}

export interface NotificationAnswer {
  id: string;
  status: string;
  created_at: string;
  recipient_id: string | null;
  topic: string | null;
  template_id: string | null;
  deliveries: DeliveryAnswer[];
}

export function isNotificationFinal({ status }: Pick<NotificationAnswer, 'status'>): boolean {
  return status !== 'pending' && status !== 'active';
}

/** For example `waiting (quiet_hours) until 2026-12-01T07:00:00.000Z`. */
export function stateText({
  state,
  reason,
  due_at: dueAt,
}: Pick<DeliveryAnswer, 'state' | 'reason' | 'due_at'>): string {
  const until = state === 'waiting' && dueAt !== null ? ` until ${dueAt}` : '';
  return `${state}${reason === null ? '' : ` (${reason})`}${until}`;
}
