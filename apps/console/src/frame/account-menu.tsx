import { ActionIcon, Group, Menu, Text, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { IconLogout, IconMoon, IconSun, IconUser } from '@tabler/icons-react';
import { useNavigate } from 'react-router';
import { notifyFailure } from '../page/toasts';
import { useSession } from '../session/session';

const KINDS = { api_key: 'API key', operator_token: "Operator's token", oidc: 'Signed in by OIDC' };

export function AccountMenu() {
  const { kind, name, role, signOut } = useSession();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const navigate = useNavigate();
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <Group gap="xs" wrap="nowrap">
      <ActionIcon variant="default" aria-label={`Use ${other} colours`} onClick={() => setColorScheme(other)}>
        {scheme === 'dark' ? <IconSun size={16} aria-hidden /> : <IconMoon size={16} aria-hidden />}
      </ActionIcon>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" aria-label="Account">
            <IconUser size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {name}
            <Text size="xs">{role ? `${KINDS[kind]}, ${role}` : KINDS[kind]}</Text>
          </Menu.Label>
          <Menu.Item
            leftSection={<IconLogout size={14} aria-hidden />}
            onClick={() => signOut().then(() => navigate('/'), notifyFailure)}
          >
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
