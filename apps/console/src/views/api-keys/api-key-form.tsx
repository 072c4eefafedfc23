import { Button, Checkbox, Group, SegmentedControl, SimpleGrid, TagsInput, TextInput } from '@mantine/core';
import type { ApiKeysCreateData } from '#client';
import { useAction } from '../../api/view-context';
import { instant } from '../../list/list-filters';
import { FormDialog } from '../../page/form-dialog';

type Body = ApiKeysCreateData['body'];
type Scope = NonNullable<Body['scopes']>[number];

/** The compiler reports a scope that a later release adds. */
const known: Record<Scope, true> = {
  'notifications:write': true,
  'notifications:read': true,
  'recipients:write': true,
  'recipients:read': true,
  'preferences:write': true,
  'templates:write': true,
  'templates:read': true,
  'provider_accounts:write': true,
  'provider_accounts:read': true,
  'inbox:write': true,
  'inbox:read': true,
  'categories:write': true,
  'categories:read': true,
  'suppressions:write': true,
  'suppressions:read': true,
  'topics:write': true,
  'topics:read': true,
  'webhooks:write': true,
  'webhooks:read': true,
  'schedules:write': true,
  'schedules:read': true,
  'dead_letters:write': true,
  'dead_letters:read': true,
  'mailbox:write': true,
  'mailbox:read': true,
};
const SCOPES = Object.keys(known) as Scope[];
const READS = SCOPES.filter((scope) => scope.endsWith(':read'));

const EMPTY = { name: '', mode: 'live', scopes: SCOPES as string[], expires: '', addresses: [] as string[] };
type Values = typeof EMPTY;

interface ApiKeyFormProps {
  tenantId: string;
  opened: boolean;
  close: () => void;
  made: (secret: string) => void;
}

export function ApiKeyForm({ tenantId, opened, close, made }: ApiKeyFormProps) {
  const create = useAction({
    run: (carillon, values: Values) => carillon.apiKeys.create({ path: { id: tenantId }, body: bodyOf(values) }),
    changes: ['api_keys'],
    onDone: ({ api_key }) => made(api_key),
    quiet: true,
  });
  return (
    <FormDialog
      title="Create an API key"
      confirm="Create"
      opened={opened}
      close={close}
      size="xl"
      initial={EMPTY}
      run={create.mutateAsync}
    >
      {({ values, set, faultOf }) => (
        <>
          <TextInput
            label="Name"
            placeholder="Orders service"
            value={values.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
            error={faultOf('name')}
            maxLength={200}
            required
            data-autofocus
          />
          <SegmentedControl
            aria-label="Mode"
            data={[
              { value: 'live', label: 'Live' },
              { value: 'test', label: 'Test: nothing reaches people' },
            ]}
            value={values.mode}
            onChange={(mode) => set({ mode })}
          />
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <TextInput
              type="datetime-local"
              label="Expires"
              description="Empty: never."
              value={values.expires}
              onChange={(event) => set({ expires: event.currentTarget.value })}
              error={faultOf('expires_at')}
            />
            <TagsInput
              label="Allowed addresses"
              description="Addresses and CIDR ranges. Empty: any."
              placeholder="203.0.113.0/24"
              value={values.addresses}
              onChange={(addresses) => set({ addresses })}
              error={faultOf('allowed_ips')}
            />
          </SimpleGrid>
          <ScopeChoice chosen={values.scopes} change={(scopes) => set({ scopes })} fault={faultOf('scopes')} />
        </>
      )}
    </FormDialog>
  );
}

function bodyOf({ name, mode, scopes, expires, addresses }: Values): Body {
  return {
    name,
    mode,
    scopes,
    ...(expires && { expires_at: instant(expires) }),
    ...(addresses.length > 0 && { allowed_ips: addresses }),
  } as Body;
}

interface ScopeChoiceProps {
  chosen: string[];
  change: (scopes: string[]) => void;
  fault: string | undefined;
}

function ScopeChoice({ chosen, change, fault }: ScopeChoiceProps) {
  return (
    <Checkbox.Group label="Scopes" value={chosen} onChange={change} error={fault} required>
      <Group gap="xs" my="xs">
        <Button size="xs" variant="default" onClick={() => change([...SCOPES])}>
          All
        </Button>
        <Button size="xs" variant="default" onClick={() => change([...READS])}>
          Read only
        </Button>
        <Button size="xs" variant="default" onClick={() => change([])}>
          None
        </Button>
      </Group>
      <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }} spacing="xs">
        {SCOPES.map((scope) => (
          <Checkbox key={scope} value={scope} label={scope} size="xs" />
        ))}
      </SimpleGrid>
    </Checkbox.Group>
  );
}
