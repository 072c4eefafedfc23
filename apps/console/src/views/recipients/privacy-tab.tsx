import { Stack } from '@mantine/core';
import { useScope } from '../../session/session';
import { EraseRecipient } from './erase-recipient';
import { ExportRecipient } from './export-recipient';

export function PrivacyTab({ id }: { id: string }) {
  const mayErase = useScope('recipients:write');
  return (
    <Stack maw={860}>
      <ExportRecipient id={id} />
      {mayErase && <EraseRecipient id={id} />}
    </Stack>
  );
}
