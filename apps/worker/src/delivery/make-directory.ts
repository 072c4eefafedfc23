import type { Config } from '#config';
import type { MailboxStore, ProviderAccountsStore, WebhookEndpointsStore } from '#database';
import { PLATFORM_TENANT_ID } from '#domain';
import { ConnectionFactory, ProviderDirectory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';
import { sendTimes } from './make-pipeline.js';

/** The directory over this house's accounts and mailbox, which forgets what the bus says has changed. */
export function makeDirectory(
  config: Config,
  accounts: ProviderAccountsStore,
  endpoints: WebhookEndpointsStore,
  mailbox: MailboxStore,
  bus: RealtimeBus,
  logger: Logger,
): ProviderDirectory {
  const directory = new ProviderDirectory({
    accounts: (tenantId, channel) => accounts.openAll(tenantId, channel),
    endpoint: async (tenantId, id) => {
      const endpoint = await endpoints.opened(tenantId, id);
      if (!endpoint) return null;
      const { url, secret, oldSecret, updatedAt } = endpoint;
      const credentials = { url, secret, ...(oldSecret && { old_secret: oldSecret }) };
      const account = { tenantId, id, provider: 'webhook', channel: 'webhook', credentials, updatedAt } as const;
      return { ...account, pacePerSecond: null, breaker: 'closed' };
    },
    connectionFactory: new ConnectionFactory({
      ...config,
      deposit: (message) =>
        mailbox.deposit({ ...message, to: message.to ?? message.recipientId, message: message.content }),
    }),
    onHealth: (account, state, cause) => {
      const { provider, id } = account;
      const words = {
        provider,
        provider_account_id: id,
        tenant_id: account.tenantId,
        breaker: state,
        code: cause?.code,
      };
      if (state === 'open')
        logger.error({ ...words, kind: cause?.kind }, 'a provider account fails: nothing is sent through it');
      else logger.info(words, state === 'closed' ? 'a provider account works again' : 'a provider account is probed');
      instruments().breakers.add(1, { provider, state });
      accounts
        .noteHealth(account, state, cause && { code: cause.code, detail: cause.message })
        .catch((error: unknown) =>
          logger.warn({ err: error, ...words }, 'the health of an account could not be noted'),
        );
    },
    onChange: (tenantId) => bus.publish([{ kind: 'stale', tenantId, what: 'provider_accounts' }]),
    deadlineMs: sendTimes(config).deadlineMs,
    sandboxFallback: config.sandboxFallback,
  });
  instruments().gauge(
    'carillon_provider_accounts',
    'Provider accounts in use by this worker, by provider and breaker',
    async () => directory.breakers().map(({ count, ...attributes }) => ({ value: count, attributes })),
  );
  bus.subscribe((hint) => {
    // The platform's accounts serve everybody.
    if (hint.kind === 'stale' && hint.what === 'provider_accounts')
      directory.forget(hint.tenantId === PLATFORM_TENANT_ID ? undefined : hint.tenantId);
  });
  bus.onGap(() => directory.forget());
  return directory;
}
