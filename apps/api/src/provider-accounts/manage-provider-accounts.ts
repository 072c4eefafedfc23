import { Inject, Injectable } from '@nestjs/common';
import {
  type AuditNote,
  type Page,
  type PageRequest,
  type ProviderAccount,
  type ProviderAccountFields,
  ProviderAccountsStore,
} from '#database';
import { type ChannelId, notFound, ProviderError, validationFailed } from '#domain';
import { ConnectionFactory, isChoiceEntry, maskCredentials, type Provider, providers } from '#providers';
import type { RealtimeBus } from '#realtime';
import { validate, withValue } from '../http/request-schema.pipe.js';
import { BUS } from '../tokens.js';
import { withKeptSecrets } from './kept-secrets.js';
import type { AccountBody, AccountPatch } from './provider-account.schema.js';
import { toAccountView } from './provider-account-view.js';

type Allowances = ProviderAccountFields['allowed'];

export interface Verification {
  ok: boolean;
  kind: string | null;
  code: string | null;
  detail: string | null;
}

const VERIFY_MS = 10_000;

/** Provider accounts of one owner: a tenant or the platform. */
@Injectable()
export class ManageProviderAccounts {
  constructor(
    private readonly store: ProviderAccountsStore,
    @Inject(BUS) private readonly bus: RealtimeBus,
    private readonly connectionFactory: ConnectionFactory,
  ) {}

  /** `allowed`: the lists of an account of the platform. */
  async create(owner: string, body: AccountBody, audit: AuditNote, allowed: Allowances = {}): Promise<ProviderAccount> {
    const provider = providerOf(body);
    checkAllowances(provider, allowed);
    const channel = channelOf(provider, body);
    const credentials = this.checkCredentials(provider, body.credentials);
    const { name, order, enabled, pace_per_second: pacePerSecond } = body;
    const fields = {
      allowed,
      name,
      order,
      enabled,
      pacePerSecond,
      provider: provider.id,
      channel,
      credentials,
      masked: maskCredentials(provider.credentials, credentials),
    };
    const account = await this.store.create(owner, fields, audit);
    this.announce(owner);
    return account;
  }

  async list(owner: string, page: PageRequest): Promise<Page<ProviderAccount>> {
    return await this.store.list(owner, page);
  }

  async get(owner: string, id: string): Promise<ProviderAccount> {
    const account = await this.store.get(owner, id);
    if (!account) throw notFound('provider account', id);
    return account;
  }

  async update(
    { owner, id }: { owner: string; id: string },
    patch: AccountPatch,
    audit: AuditNote,
    allowed: Allowances = {},
  ): Promise<ProviderAccount> {
    const { provider: providerId, credentials: shown } = await this.get(owner, id);
    const { credentials: given, pace_per_second: pacePerSecond, name, order, enabled } = patch;
    const provider = providers[providerId]!;
    checkAllowances(provider, allowed);
    const stored = given && (await this.store.opened(owner, id))?.credentials;
    const credentials = given && this.checkCredentials(provider, withKeptSecrets(given, shown, stored ?? {}));
    const change = {
      name,
      order,
      enabled,
      allowed,
      ...(pacePerSecond !== undefined && { pacePerSecond }),
      ...(credentials && { credentials, masked: maskCredentials(provider.credentials, credentials) }),
    };
    const account = await this.store.update(owner, id, change, audit);
    if (!account) throw notFound('provider account', id);
    this.announce(owner);
    return account;
  }

  async delete(owner: string, id: string, audit: AuditNote): Promise<void> {
    if (!(await this.store.delete(owner, id, audit))) throw notFound('provider account', id);
    this.announce(owner);
  }

  /** Asks the vendor whether it accepts the stored credentials. A refusal is a result, not an error. */
  async verify(owner: string, id: string): Promise<Verification> {
    const account = await this.store.opened(owner, id);
    if (!account) throw notFound('provider account', id);
    const connection = this.connectionFactory.open(account);
    try {
      await connection.verify({ signal: AbortSignal.timeout(VERIFY_MS) });
      return { ok: true, kind: null, code: null, detail: null };
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      return { ok: false, kind: error.kind, code: error.code, detail: error.message };
    } finally {
      await connection.close?.();
    }
  }

  view(account: ProviderAccount) {
    return toAccountView(account, this.connectionFactory.receiptsUrlOf(account));
  }

  private announce(owner: string): void {
    this.bus.publish([{ kind: 'stale', tenantId: owner, what: 'provider_accounts' }]);
  }

  private checkCredentials(provider: Provider, given: Record<string, unknown>): Record<string, unknown> {
    const endpoint = this.connectionFactory.endpointError(given);
    if (endpoint) throw validationFailed([{ pointer: '/credentials/endpoint', code: 'invalid', message: endpoint }]);
    const { data, errors } = validate(provider.credentials, given, { isSecret: true });
    if (!errors) return data;
    throw validationFailed(errors.map((error) => ({ ...error, pointer: `/credentials${error.pointer}` })));
  }
}

/** Throws `validation_failed` for lists that the provider does not use, and for entries that are not valid. */
function checkAllowances({ id, senderChoice }: Provider, { from, channels }: Allowances): void {
  const errors = (['allowed_from', 'allowed_channels'] as const).flatMap((list) => {
    const entries = (list === 'allowed_from' ? from : channels) ?? [];
    return entries.flatMap((entry, index) => {
      if (senderChoice === 'none' || senderChoice.list !== list) {
        const message = withValue(`must be null for ${id}, whose messages choose no ${NAMED[list]}`, entry);
        return [{ pointer: `/${list}`, code: 'invalid', message }];
      }
      if (isChoiceEntry(list, entry)) return [];
      return [
        { pointer: `/${list}/${index}`, code: 'invalid', message: withValue(`must be ${EXPECTED[list]}`, entry) },
      ];
    });
  });
  if (errors.length > 0) throw validationFailed(errors);
}

const NAMED = { allowed_from: 'sender', allowed_channels: 'channel' } as const;
const EXPECTED = {
  allowed_from: 'an address, @ and a domain, or *',
  allowed_channels: 'the id or name of a channel, or *',
} as const;

function providerOf(body: AccountBody): Provider {
  const provider = providers[body.provider];
  if (provider) return provider;
  const message = withValue(`must be one of ${Object.keys(providers).join(', ')}`, body.provider);
  throw validationFailed([{ pointer: '/provider', code: 'unknown_provider', message }]);
}

/** The requested channel, or the only one that the provider serves. */
function channelOf(provider: Provider, body: AccountBody): ChannelId {
  const { id, channels } = provider;
  const channel = body.channel ?? (channels.length === 1 ? channels[0] : undefined);
  if (channel && channels.includes(channel)) return channel;
  const message = `must be one of the channels of ${id}: ${channels.join(', ')}`;
  throw validationFailed([
    {
      pointer: '/channel',
      code: channel ? 'invalid' : 'required',
      message: channel ? withValue(message, channel) : message,
    },
  ]);
}
