import { ActionIcon, Button, Group, Menu, Popover, Stack, TextInput } from '@mantine/core';
import { useDisclosure, useLocalStorage } from '@mantine/hooks';
import { IconBookmark, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useViewContext } from '../api/view-context';
import { storageKey } from './filter-storage';
import type { Filter } from './list-filters';

interface Saved {
  name: string;
  values: Record<string, string>;
}

interface SavedFiltersProps {
  list: string;
  filters: readonly Filter[];
  values: Record<string, string>;
  change: (values: Record<string, string>) => void;
}

/** Sets of filters with a name, kept in this browser for each tenant and list, until the sign-out. */
export function SavedFilters({ list, filters, values, change }: SavedFiltersProps) {
  const { tenantId } = useViewContext();
  const [saved, setSaved] = useLocalStorage<Saved[]>({
    key: storageKey(tenantId, list),
    defaultValue: [],
  });
  const isFiltered = Object.keys(values).length > 0;
  const cleared = Object.fromEntries(filters.map(({ name }) => [name, '']));
  return (
    <Group gap="xs">
      {saved.length > 0 && (
        <Menu>
          <Menu.Target>
            <Button variant="default" size="xs" leftSection={<IconBookmark size={14} aria-hidden />}>
              Saved filters
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {saved.map((entry) => (
              <Group key={entry.name} gap={4} wrap="nowrap">
                <Menu.Item onClick={() => change({ ...cleared, ...entry.values })}>{entry.name}</Menu.Item>
                <ActionIcon
                  variant="subtle"
                  color="red"
                  aria-label={`Delete ${entry.name}`}
                  onClick={() => setSaved(saved.filter(({ name }) => name !== entry.name))}
                >
                  <IconTrash size={14} aria-hidden />
                </ActionIcon>
              </Group>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {isFiltered && (
        <SaveButton save={(name) => setSaved([...saved.filter((entry) => entry.name !== name), { name, values }])} />
      )}
    </Group>
  );
}

function SaveButton({ save }: { save: (name: string) => void }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [name, setName] = useState('');
  return (
    <Popover opened={opened} onChange={(open) => !open && close()} trapFocus withRoles>
      <Popover.Target>
        <Button variant="default" size="xs" onClick={toggle}>
          Save filters
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Save filters">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim()) save(name.trim());
            setName('');
            close();
          }}
        >
          <Stack gap="xs">
            <TextInput
              label="Name"
              placeholder="Failed e-mails of today"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              required
              maxLength={60}
            />
            <Button type="submit" size="xs">
              Save
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
