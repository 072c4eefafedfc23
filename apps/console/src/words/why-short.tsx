import { Text } from '@mantine/core';
import type { Delivery } from '#client';
import { stateSentences } from './delivery-states';
import { reasonText } from './reasons';
import { Words } from './words';

/** The reason of a delivery in words, for a cell of a list. Of the state's meaning, the first sentence. */
export function WhyShort({ delivery: { state, reason } }: { delivery: Pick<Delivery, 'state' | 'reason'> }) {
  const known = reasonText(reason, state === 'waiting' || state === 'sending');
  return (
    <Text size="sm" c={known ? undefined : 'dimmed'}>
      <Words text={known?.meaning ?? reason?.replaceAll('_', ' ') ?? stateSentences[state].split('. ')[0]!} />
    </Text>
  );
}
