import type { Delivery } from '#client';

const NAMES: Readonly<Record<Delivery['channel'], string>> = {
  email: 'e-mail',
  sms: 'SMS',
  push: 'push',
  in_app: 'inbox',
  chat: 'chat',
  webhook: 'webhook',
};

/** A channel as people name it. One that this console does not know is shown as it is. */
export function channelName(channel: string): string {
  return NAMES[channel as Delivery['channel']] ?? channel;
}

/** The same at the beginning of a title: "E-mail". */
export function channelTitle(channel: string): string {
  const name = channelName(channel);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** For filters and forms. */
export const CHANNEL_CHOICES = Object.entries(NAMES).map(([value, label]) => ({ value, label }));

/** Those of messages to people. */
export const RECIPIENT_CHANNEL_CHOICES = CHANNEL_CHOICES.filter(({ value }) => value !== 'webhook');
