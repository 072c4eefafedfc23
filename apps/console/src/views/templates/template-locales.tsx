import { Badge, Button, Group, Popover, Stack, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import type { Template } from '#client';
import { useMayWrite, useRead, useViewContext } from '../../api/view-context';
import { templateRoutes } from './template-routes';

/** The locales of the key on this channel, with a form for another one. */
export function TemplateLocales({ template: { id, key, channel, kind, platform } }: { template: Template }) {
  const { isPlatform, linkTo } = useViewContext();
  const mayWrite = useMayWrite('templates:write');
  const isForeign = platform && !isPlatform;
  const others = useRead(['templates', 'locales', key, channel], (carillon, signal) =>
    templateRoutes(carillon, isPlatform).list({ key, channel, include: 'platform', limit: 200 }, signal),
  );
  const known = (others.data?.data ?? []).filter((one) => one.platform === platform);
  return (
    <Group gap="xs" role="group" aria-label="Locales">
      {known.map((one) => (
        <Badge
          key={one.id}
          component={Link}
          to={linkTo(`/templates/${one.id}`)}
          variant={one.id === id ? 'filled' : 'default'}
          tt="none"
          size="lg"
          style={{ cursor: 'pointer' }}
          aria-current={one.id === id ? 'page' : undefined}
        >
          {one.locale}
        </Badge>
      ))}
      {mayWrite && !isForeign && (
        <AddLocale
          start={(locale) => linkTo(`/templates/new?${new URLSearchParams({ key, channel, kind, locale, copy: id })}`)}
        />
      )}
    </Group>
  );
}

function AddLocale({ start }: { start: (locale: string) => string }) {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [locale, setLocale] = useState('');
  const navigate = useNavigate();
  return (
    <Popover opened={opened} onChange={(open) => !open && close()} trapFocus withRoles>
      <Popover.Target>
        <Button variant="subtle" size="compact-sm" leftSection={<IconPlus size={14} aria-hidden />} onClick={toggle}>
          Add a locale
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="Add a locale">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void navigate(start(locale.trim()));
          }}
        >
          <Stack gap="xs">
            <TextInput
              label="Locale"
              description="It begins with a copy of this one."
              placeholder="fr-CA"
              value={locale}
              onChange={(event) => setLocale(event.currentTarget.value)}
              required
            />
            <Button type="submit" size="xs">
              Continue
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
