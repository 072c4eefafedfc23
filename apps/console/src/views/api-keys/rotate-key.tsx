import { Button, Select, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useAction } from '../../api/view-context';
import { FormDialog } from '../../page/form-dialog';
import type { ApiKey } from './api-key';

const OVERLAPS = [
  { value: '0', label: 'it ends at once' },
  { value: '3600', label: 'an hour' },
  { value: '86400', label: 'a day' },
  { value: '604800', label: 'a week' },
  { value: '2592000', label: '30 days' },
];

export function RotateKey({ apiKey, made }: { apiKey: ApiKey; made: (secret: string) => void }) {
  const [opened, { open, close }] = useDisclosure(false);
  const rotate = useAction({
    run: (carillon, { overlap }: { overlap: string }) =>
      carillon.apiKeys.rotate({
        path: { id: apiKey.tenant_id, keyId: apiKey.id },
        body: { overlap_seconds: Number(overlap) },
      }),
    changes: ['api_keys'],
    onDone: ({ api_key }) => made(api_key),
    quiet: true,
  });
  return (
    <>
      <Button size="xs" variant="default" onClick={open}>
        Rotate
      </Button>
      <FormDialog
        title={`Rotate ${apiKey.name}`}
        confirm="Rotate the key"
        opened={opened}
        close={close}
        initial={{ overlap: '86400' }}
        run={rotate.mutateAsync}
      >
        {({ values, set, faultOf }) => (
          <>
            <Text size="sm">
              A new key with the same name, mode, scopes and addresses is created. “Last used” of both shows when all
              programs use the new one.
            </Text>
            <Select
              label="The old key works for"
              data={OVERLAPS}
              value={values.overlap}
              onChange={(overlap) => overlap && set({ overlap })}
              allowDeselect={false}
              error={faultOf('overlap_seconds')}
            />
          </>
        )}
      </FormDialog>
    </>
  );
}
