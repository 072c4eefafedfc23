import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { MailboxStore, ProviderAccountsStore, WebhookEndpointsStore } from '#database';
import { PLATFORM_TENANT_ID, type ProviderError } from '#domain';
import { type Account, type BreakerState, ConnectionFactory, ProviderDirectory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';
import { BUS, CONFIG, LOGGER } from '../tokens.js';
import { sendTimes } from './send/send-times.js';

/** Makes the provider directory of this worker from the stored accounts and endpoints. */
@Injectable()
export class DirectoryFactory {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly accounts: ProviderAccountsStore,
    private readonly endpoints: WebhookEndpointsStore,
    private readonly mailbox: MailboxStore,
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  create(): ProviderDirectory {
    const directory = new ProviderDirectory({
      accounts: (tenantId, channel) => this.accounts.openAll(tenantId, channel),
      endpoint: (tenantId, id) => this.openEndpoint(tenantId, id),
      connectionFactory: new ConnectionFactory({
        ...this.config,
        deposit: (message) =>
          this.mailbox.deposit({ ...message, to: message.to ?? message.recipientId, message: message.content }),
      }),
      onHealth: (account, state, cause) => this.reportHealth(account, state, cause),
      onChange: (tenantId) => this.bus.publish([{ kind: 'stale', tenantId, what: 'provider_accounts' }]),
      deadlineMs: sendTimes(this.config).deadlineMs,
      sandboxFallback: this.config.sandboxFallback,
    });
    this.forgetOnChange(directory);
    instruments().gauge('accounts', async () =>
      directory.breakers().map(({ count, ...labels }) => ({ value: count, labels })),
    );
    return directory;
  }

  /** A webhook endpoint as an account of the webhook provider. */
  private async openEndpoint(tenantId: string, id: string): Promise<Account | null> {
    const endpoint = await this.endpoints.opened(tenantId, id);
    if (!endpoint) return null;
    const { url, secret, oldSecret, updatedAt } = endpoint;
    const credentials = { url, secret, ...(oldSecret && { old_secret: oldSecret }) };
    return {
      tenantId,
      id,
      provider: 'webhook',
      channel: 'webhook',
      credentials,
      updatedAt,
      pacePerSecond: null,
      breaker: 'closed',
    };
  }

  private forgetOnChange(directory: ProviderDirectory): void {
    this.bus.subscribe((hint) => {
      // A platform account serves all tenants, so its change concerns every cached list.
      if (hint.kind === 'stale' && hint.what === 'provider_accounts')
        directory.forget(hint.tenantId === PLATFORM_TENANT_ID ? undefined : hint.tenantId);
    });
    this.bus.onGap(() => directory.forget());
  }

  private reportHealth(
    account: Pick<Account, 'tenantId' | 'id' | 'provider'>,
    state: BreakerState,
    cause: ProviderError | null,
  ): void {
    const { provider, id } = account;
    const fields = {
      provider,
      provider_account_id: id,
      tenant_id: account.tenantId,
      breaker: state,
      code: cause?.code,
    };
    if (state === 'open')
      this.logger.error({ ...fields, kind: cause?.kind }, 'a provider account fails; its breaker is open');
    else this.logger.info(fields, state === 'closed' ? 'a provider account works again' : 'probing a provider account');
    instruments().breakers.add(1, { provider, state });
    this.accounts
      .noteHealth(account, state, cause && { code: cause.code, detail: cause.message })
      .catch((error: unknown) =>
        this.logger.warn({ err: error, ...fields }, 'storing the health of a provider account failed'),
      );
  }
}
