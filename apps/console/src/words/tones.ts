import { IconBan, IconCheck, IconClock, IconX } from '@tabler/icons-react';
import type { Tone } from './delivery-states';

export const toneColours: Record<Tone, string> = { good: 'teal', waiting: 'blue', stopped: 'gray', bad: 'red' };

export const toneIcons: Record<Tone, typeof IconCheck> = {
  good: IconCheck,
  waiting: IconClock,
  stopped: IconBan,
  bad: IconX,
};
