import { Badge, Button, Code, Group, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useAction } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { ConfirmButton } from '../../page/confirm-button';
import { SecretDialog } from '../../page/secret-dialog';
import { Time } from '../../page/time';
import { useRole } from '../../session/session';
import type { ApiKey } from './api-key';
import { ApiKeyForm } from './api-key-form';
import { RotateKey } from './rotate-key';

const columns: readonly Column<ApiKey>[] = [
  {
    id: 'name',
    label: 'Name',
    cell: ({ name, mode }) => (
      <Group gap={6}>
        {name}
        {mode === 'test' && (
          <Badge color="orange" variant="light" tt="none" className="state">
            test
          </Badge>
        )}
      </Group>
    ),
  },
  { id: 'key_id', label: 'Id', cell: ({ key_id }) => <Code>{key_id}</Code> },
  { id: 'scopes', label: 'Scopes', cell: ({ scopes }) => <Scopes scopes={scopes} /> },
  { id: 'allowed_ips', label: 'Addresses', cell: ({ allowed_ips }) => allowed_ips?.join(', ') ?? 'any' },
  { id: 'last_used_at', label: 'Last used', cell: ({ last_used_at }) => <Time value={last_used_at} none="never" /> },
  { id: 'state', label: 'State', cell: (key) => <KeyState apiKey={key} /> },
];

const SHOWN_SCOPES = 3;

function Scopes({ scopes }: { scopes: readonly string[] }) {
  const more = scopes.length - SHOWN_SCOPES;
  return (
    <Text size="sm" title={scopes.join(', ')}>
      {scopes.slice(0, SHOWN_SCOPES).join(', ')}
      {more > 0 && ` and ${more} more`}
    </Text>
  );
}

function isExpired({ expires_at }: ApiKey): boolean {
  return expires_at !== null && Date.parse(expires_at) <= Date.now();
}

function KeyState({ apiKey }: { apiKey: ApiKey }) {
  if (apiKey.revoked_at)
    return (
      <Text size="sm" component="div">
        revoked <Time value={apiKey.revoked_at} />
      </Text>
    );
  if (!apiKey.expires_at) return 'does not expire';
  return (
    <Text size="sm" component="div">
      {isExpired(apiKey) ? 'expired ' : 'expires '}
      <Time value={apiKey.expires_at} />
    </Text>
  );
}

/** The keys of one tenant, live and test. */
export function ApiKeys({ tenantId }: { tenantId: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  const [secret, setSecret] = useState<string | null>(null);
  const mayWrite = useRole('admin');
  return (
    <>
      {mayWrite && (
        <Group justify="flex-end" mb="sm">
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
            Create an API key
          </Button>
        </Group>
      )}
      <List<ApiKey>
        name="api_keys"
        of={tenantId}
        columns={columns}
        load={(carillon, query) => carillon.apiKeys.list({ path: { id: tenantId }, query })}
        rowId={({ id }) => id}
        {...(mayWrite && {
          rowActions: (row: ApiKey) =>
            row.revoked_at || isExpired(row) ? null : (
              <>
                <RotateKey apiKey={row} made={setSecret} />
                <RevokeButton apiKey={row} />
              </>
            ),
        })}
        empty={{ title: 'No keys yet', text: 'Create one for each program that sends.' }}
      />
      <ApiKeyForm tenantId={tenantId} opened={opened} close={close} made={setSecret} />
      <SecretDialog
        title="The API key"
        secret={secret}
        text="A program sends with this key. Only its hash is stored."
        close={() => setSecret(null)}
      />
    </>
  );
}

function RevokeButton({ apiKey: { id, tenant_id, name, key_id } }: { apiKey: ApiKey }) {
  const revoke = useAction({
    run: (carillon) => carillon.apiKeys.revoke({ path: { id: tenant_id, keyId: id } }),
    done: `The key ${name} is revoked`,
    changes: ['api_keys'],
  });
  return (
    <ConfirmButton
      size="xs"
      title={`Revoke ${name}?`}
      text="Programs that use it are refused within five seconds. This cannot be undone."
      confirm="Revoke the key"
      typed={key_id}
      run={() => revoke.mutateAsync()}
    >
      Revoke
    </ConfirmButton>
  );
}
