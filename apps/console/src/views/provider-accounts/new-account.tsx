import { Select, SimpleGrid, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import type { Provider } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { Loaded, Page } from '../../page/page';
import { CHANNEL_CHOICES } from '../../words/channels';
import { AccountFormFields } from './account-form';
import { type Account, accountRoutes, useProviders } from './account-routes';
import { type AccountForm, bodyOf, newForm } from './account-values';
import { ProviderSteps } from './provider-steps';

export function NewAccount() {
  const { linkTo } = useViewContext();
  const providers = useProviders();
  return (
    <Page
      title="Create a provider account"
      parent={{ title: 'Provider accounts', to: linkTo('/provider-accounts') }}
      about="Choose the channel and the provider, then enter the credentials that the provider gave you."
    >
      <Loaded query={providers}>{(data) => <Choose providers={data} />}</Loaded>
    </Page>
  );
}

function Choose({ providers }: { providers: Provider[] }) {
  const [channel, setChannel] = useState('email');
  const [id, setId] = useState<string | null>(null);
  const channels = new Set<string>(providers.flatMap((provider) => provider.channels));
  const usable = providers.filter((provider) => provider.channels.some((one) => one === channel));
  const provider = usable.find((one) => one.id === id);
  return (
    <Stack>
      <SimpleGrid cols={{ base: 1, sm: 2 }} maw={720}>
        <Select
          label="Channel"
          data={CHANNEL_CHOICES.filter(({ value }) => channels.has(value) && value !== 'in_app')}
          value={channel}
          onChange={(chosen) => chosen && setChannel(chosen)}
          allowDeselect={false}
        />
        <Select
          label="Provider"
          placeholder="Choose a provider"
          data={usable.map(({ id: value, name: label }) => ({ value, label }))}
          value={provider?.id ?? null}
          onChange={setId}
          searchable
        />
      </SimpleGrid>
      {provider ? (
        <CreateForm key={`${channel} ${provider.id}`} provider={provider} channel={channel} />
      ) : (
        <Text size="sm" c="dimmed">
          The form depends on the provider.
        </Text>
      )}
    </Stack>
  );
}

function CreateForm({ provider, channel }: { provider: Provider; channel: string }) {
  const { isPlatform, linkTo } = useViewContext();
  const navigate = useNavigate();
  const [first] = useState(() => ({ ...newForm(provider), name: '' }));
  const create = useAction<AccountForm, Account>({
    run: (carillon, form) => accountRoutes(carillon, isPlatform).create(bodyOf(provider, channel, form, isPlatform)),
    done: ({ name }) => `${name} is created`,
    changes: ['provider_accounts'],
    onDone: ({ id }) => void navigate(linkTo(`/provider-accounts/${id}`), { replace: true }),
    quiet: true,
  });
  return (
    <>
      <ProviderSteps provider={provider} />
      <AccountFormFields provider={provider} first={first} save={create} saveLabel="Create" />
    </>
  );
}
