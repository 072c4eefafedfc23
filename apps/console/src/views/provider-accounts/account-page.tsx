import { Paper, Stack, Text, Title } from '@mantine/core';
import { useNavigate, useParams } from 'react-router';
import type { Provider } from '#client';
import { useAction, useMayWrite, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { LoadError } from '../../page/load-error';
import { Loaded, Page } from '../../page/page';
import { Time } from '../../page/time';
import { type Edit, useEdit } from '../../page/unsaved-changes';
import { channelName } from '../../words/channels';
import { AccountFormFields } from './account-form';
import { AccountHealth } from './account-health';
import { type Account, accountRoutes, useProviders } from './account-routes';
import { type AccountForm, formOf, patchOf } from './account-values';
import { ProviderSteps } from './provider-steps';
import { useVerify, VerifyAnswer, VerifyButton } from './verify-account';

export function AccountPage() {
  const { accountId = '' } = useParams();
  const { isPlatform } = useViewContext();
  const account = useRead(['provider_accounts', 'one', accountId], (carillon, signal) =>
    accountRoutes(carillon, isPlatform).get(accountId, signal),
  );
  const providers = useProviders();
  return (
    <Loaded query={account}>
      {(data) => (
        <Loaded query={providers}>
          {(all) => <OneAccount key={data.id} account={data} provider={all.find(({ id }) => id === data.provider)} />}
        </Loaded>
      )}
    </Loaded>
  );
}

function OneAccount({ account, provider }: { account: Account; provider: Provider | undefined }) {
  const { id, name, channel, updated_at, created_at, receipts_url } = account;
  const { isPlatform, linkTo } = useViewContext();
  const mayWrite = useMayWrite('provider_accounts:write');
  const edit = useEdit(account, (one) => one.updated_at);
  const verify = useVerify(id, isPlatform);
  return (
    <Page
      title={name}
      about={`${provider?.name ?? account.provider}, for ${channelName(channel)}`}
      parent={{ title: 'Provider accounts', to: linkTo('/provider-accounts') }}
      actions={
        mayWrite && (
          <>
            <VerifyButton verify={verify} />
            <DeleteAccount account={account} />
          </>
        )
      }
    >
      <VerifyAnswer verify={verify} />
      <Stack maw={720}>
        <Fields
          fields={[
            ['Health', <AccountHealth key="health" account={account} />],
            ['Order', `${account.order}; the lowest of the channel is tried first`],
            ['Id', <Identifier key="id" value={id} />],
            ['Created', <Time key="created" value={created_at} />],
            ['Changed', <Time key="changed" value={updated_at} />],
          ]}
        />
        {provider && <Receipts url={receipts_url} provider={provider} />}
      </Stack>
      {provider ? (
        <EditForm key={edit.version} account={edit.base} provider={provider} mayWrite={mayWrite} edit={edit} />
      ) : (
        <LoadError error={new Error(`This installation has no provider ${account.provider}.`)} />
      )}
    </Page>
  );
}

function Receipts({ url, provider }: { url: string | null; provider: Provider }) {
  return (
    <Paper withBorder p="md">
      <Stack gap="xs">
        <Title order={2} size="h5">
          Receipts
        </Title>
        {url === null ? (
          <Text size="sm">
            This provider sends none, or PUBLIC_URL is not set. “Sent” then means that the provider accepted the
            message.
          </Text>
        ) : (
          <>
            <Text size="sm">The provider reports deliveries, bounces and complaints to this address:</Text>
            <Identifier value={url} what="address for receipts" />
          </>
        )}
        <ProviderSteps provider={provider} />
      </Stack>
    </Paper>
  );
}

interface EditProps {
  account: Account;
  provider: Provider;
  mayWrite: boolean;
  edit: Edit<Account>;
}

function EditForm({ account, provider, mayWrite, edit }: EditProps) {
  const { isPlatform } = useViewContext();
  const save = useAction<AccountForm, Account>({
    run: (carillon, form) =>
      accountRoutes(carillon, isPlatform).update(account.id, patchOf(account, provider, form, isPlatform)),
    done: 'The account is saved',
    changes: ['provider_accounts'],
    quiet: true,
  });
  return (
    <AccountFormFields
      provider={provider}
      first={formOf(account, provider)}
      stored={account}
      edit={edit}
      save={mayWrite ? save : undefined}
      saveLabel="Save"
    />
  );
}

function DeleteAccount({ account: { id, name, channel } }: { account: Account }) {
  const { isPlatform, linkTo } = useViewContext();
  const navigate = useNavigate();
  const remove = useAction({
    run: (carillon) => accountRoutes(carillon, isPlatform).remove(id),
    done: `${name} is deleted`,
    changes: ['provider_accounts'],
    removes: ['provider_accounts', 'one', id],
    onDone: () => navigate(linkTo('/provider-accounts'), { replace: true }),
  });
  return (
    <ConfirmButton
      title={`Delete ${name}?`}
      text={
        `Deliveries that wait use the next account for ${channelName(channel)}` +
        `${isPlatform ? '' : ', or those of the platform'}; if there is none, they fail with the reason “no provider”` +
        ' and can be replayed. Receipts of messages that were sent through it are refused. Switch it off to keep both.'
      }
      typed={name}
      confirm="Delete"
      run={() => remove.mutateAsync()}
    >
      Delete
    </ConfirmButton>
  );
}
