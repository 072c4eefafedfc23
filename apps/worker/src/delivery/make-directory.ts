import type { Config } from '#config';
import type { MailboxStore, ProviderAccountsStore } from '#database';
import { PLATFORM_TENANT_ID } from '#domain';
import { ProviderDirectory } from '#providers';
import type { RealtimeBus } from '#realtime';

/** The directory over this house's accounts and mailbox, which forgets what the bus says has changed. */
export function makeDirectory(
  config: Config,
  accounts: ProviderAccountsStore,
  mailbox: MailboxStore,
  bus: RealtimeBus,
): ProviderDirectory {
  const directory = new ProviderDirectory({
    accounts: (tenantId, channel) => accounts.openAll(tenantId, channel),
    surroundings: {
      deposit: (message) =>
        mailbox.deposit({ ...message, to: message.to ?? message.recipientId, message: message.content }),
    },
    sandboxFallback: config.sandboxFallback,
  });
  bus.subscribe((hint) => {
    // The platform's accounts serve everybody.
    if (hint.kind === 'stale' && hint.what === 'provider_accounts')
      directory.forget(hint.tenantId === PLATFORM_TENANT_ID ? undefined : hint.tenantId);
  });
  bus.onGap(() => directory.forget());
  return directory;
}
