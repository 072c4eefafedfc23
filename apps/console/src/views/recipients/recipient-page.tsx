import { Button, Tabs } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import type { ComponentType } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { Page } from '../../page/page';
import { useSession } from '../../session/session';
import { AddressesTab } from './addresses-tab';
import { InboxTab } from './inbox-tab';
import { PreferencesTab } from './preferences/preferences-tab';
import { PrivacyTab } from './privacy-tab';
import { ProfileTab } from './profile-tab';
import { recipientPath } from './recipient-path';
import { SubscriptionsTab } from './subscriptions-tab';

interface Tab {
  name: string;
  label: string;
  scope?: string;
  component: ComponentType<{ id: string }>;
}

const TABS: readonly Tab[] = [
  { name: 'profile', label: 'Profile', component: ProfileTab },
  { name: 'addresses', label: 'Addresses and devices', component: AddressesTab },
  { name: 'preferences', label: 'Preferences', component: PreferencesTab },
  { name: 'subscriptions', label: 'Subscriptions', scope: 'topics:read', component: SubscriptionsTab },
  { name: 'inbox', label: 'Inbox', scope: 'inbox:read', component: InboxTab },
  { name: 'privacy', label: 'Export and erase', component: PrivacyTab },
];

export function RecipientPage() {
  const { recipientId = '', tab = 'profile' } = useParams();
  const { linkTo } = useViewContext();
  const { scopes } = useSession();
  const navigate = useNavigate();
  const tabs = TABS.filter(({ scope }) => scope === undefined || scopes.includes(scope));
  const sent = `?${new URLSearchParams({ recipient_id: recipientId })}`;
  return (
    <Page
      title={recipientId}
      parent={{ title: 'Recipients', to: linkTo('/recipients') }}
      actions={
        scopes.includes('notifications:read') && (
          <Button
            component={Link}
            to={linkTo(`/deliveries${sent}`)}
            variant="default"
            leftSection={<IconSend size={16} aria-hidden />}
          >
            Deliveries
          </Button>
        )
      }
    >
      <Tabs
        value={tab}
        onChange={(chosen) => chosen && void navigate(linkTo(recipientPath(recipientId, chosen)))}
        keepMounted={false}
      >
        <Tabs.List aria-label="Parts of this recipient">
          {tabs.map(({ name, label }) => (
            <Tabs.Tab key={name} value={name}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {tabs.map(({ name, component: Component }) => (
          <Tabs.Panel key={name} value={name} pt="md">
            <Component id={recipientId} />
          </Tabs.Panel>
        ))}
      </Tabs>
    </Page>
  );
}
