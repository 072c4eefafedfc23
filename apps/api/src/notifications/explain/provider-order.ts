import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { type DeliveryContext, ProviderAccountsStore } from '#database';
import { type Channel, PLATFORM_TENANT_ID } from '#domain';
import { type AccountChecks, allowedAccounts, checksOf } from '#providers';
import { CONFIG } from '../../tokens.js';
import type { ExplanationView } from './explain.schema.js';
import { failedAs, type Verdict, waiting } from './verdict.js';

type OrderView = ExplanationView['provider_order'][number];

interface Candidate extends AccountChecks {
  name: string | null;
  owner: OrderView['owner'];
  health: OrderView['health'];
}

export interface ProviderOrder {
  view: OrderView[];
  /** The decision of the send step if no account can send now; null if one can. */
  verdict: Verdict | null;
}

const INBOX: ProviderOrder = { view: [], verdict: null };

/** The accounts through which a message would be sent, in their order, from the stored accounts and their health. */
@Injectable()
export class FindProviderOrder {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly accounts: ProviderAccountsStore,
  ) {}

  /** `content`: the rendered message, null if it does not render. */
  async run(
    channel: Channel,
    context: DeliveryContext,
    addresses: readonly string[],
    content: Record<string, unknown> | null,
  ): Promise<ProviderOrder> {
    if (channel.sends === 'inbox') return INBOX;
    const candidates = await this.candidatesFor(channel, context);
    const to = addresses[0] ?? null;
    const view = candidates.map((candidate) => {
      const detail = faultOf(candidate, addresses, content && { to, content });
      const { name, provider, owner, health } = candidate;
      return { name, provider, owner, health, permitted: detail === null, detail };
    });
    if (content === null) return { view, verdict: null };
    const message = { channel: channel.id as DeliveryChannel, addresses, content, isEvent: false };
    const chosen = allowedAccounts(candidates, message);
    if ('failure' in chosen) return { view, verdict: failedAs(chosen.failure) };
    if (chosen.allowed.some(({ health }) => health !== 'open')) return { view, verdict: null };
    const names = chosen.allowed.map(({ provider }) => provider).join(', ');
    const detail = `the breaker is open (${names})`;
    return { view, verdict: waiting('provider_down', 'provider_account.health', null, detail) };
  }

  private async candidatesFor(channel: Channel, { notification, tenant }: DeliveryContext): Promise<Candidate[]> {
    const sandbox = { ...checksOf(null), name: null, owner: 'sandbox', health: 'closed' } as const;
    if (tenant.isSandboxed) return [sandbox];
    const accounts = await this.accounts.openAll(notification.tenantId, channel.id as DeliveryChannel);
    if (accounts.length === 0) return this.config.sandboxFallback ? [sandbox] : [];
    return accounts.map((account) => {
      const isOwn = account.tenantId !== PLATFORM_TENANT_ID;
      const owner = isOwn ? ('tenant' as const) : ('platform' as const);
      return { ...checksOf(account), name: isOwn ? account.name : null, owner, health: account.breaker };
    });
  }
}

type DeliveryChannel = Parameters<ProviderAccountsStore['openAll']>[1];

function faultOf(
  candidate: Candidate,
  addresses: readonly string[],
  message: Parameters<AccountChecks['choiceFault']>[0] | null,
): string | null {
  if (addresses.length > 0 && !addresses.some((address) => candidate.reaches(address)))
    return 'does not reach an address of this kind';
  return message && candidate.choiceFault(message);
}
