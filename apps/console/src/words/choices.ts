/** The values of filters and forms that several views have. Their order is the one on the page. */
export const CHANNELS = ['email', 'sms', 'push', 'in_app', 'chat', 'webhook'] as const;

const CHANNEL_NAMES: Record<string, string> = {
  email: 'E-mail',
  sms: 'SMS',
  push: 'Push',
  in_app: 'Inbox',
  chat: 'Chat',
  webhook: 'Webhook',
};

export function channelName(channel: string): string {
  return CHANNEL_NAMES[channel] ?? channel;
}

export const CHANNEL_CHOICES = CHANNELS.map((value) => ({ value, label: channelName(value) }));

/** Those of messages to people. */
export const RECIPIENT_CHANNEL_CHOICES = CHANNEL_CHOICES.filter(({ value }) => value !== 'webhook');
