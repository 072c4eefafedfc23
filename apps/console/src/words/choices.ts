import { channelNames } from './delivery-states';

/** For filters and forms. */
export const CHANNEL_CHOICES = Object.entries(channelNames).map(([value, label]) => ({ value, label }));

/** Those of messages to people. */
export const RECIPIENT_CHANNEL_CHOICES = CHANNEL_CHOICES.filter(({ value }) => value !== 'webhook');
