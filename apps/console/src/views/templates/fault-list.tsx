import { Alert, List, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { faultOf, placeInWords } from '../../editor/template-faults';
import type { TemplatePlace } from './template-draft';
import { fieldsOf } from './template-fields';

/** Everything that keeps the draft from being rendered or saved, with its place. */
export function FaultList({ place, faults }: { place: TemplatePlace; faults: Record<string, string> }) {
  const all = Object.entries(faults);
  if (all.length === 0) return null;
  return (
    <Alert color="red" title="It cannot be rendered like this" icon={<IconAlertTriangle aria-hidden />} role="status">
      <List size="sm" spacing={4}>
        {all.map(([pointer, message]) => {
          const fault = faultOf(message);
          const where = [fieldInWords(place, pointer), placeInWords(fault)].filter(Boolean).join(', ');
          return (
            <List.Item key={pointer}>
              <Text span fw={600} size="sm">
                {where}
              </Text>
              : {fault.message}
            </List.Item>
          );
        })}
      </List>
    </Alert>
  );
}

function fieldInWords({ channel, kind }: TemplatePlace, pointer: string): string {
  const [, part = '', name = ''] = pointer.split('/');
  if (part !== 'content') return part.replaceAll('_', ' ');
  return fieldsOf(channel, kind).find((field) => field.name === name)?.label ?? (name || 'content');
}
