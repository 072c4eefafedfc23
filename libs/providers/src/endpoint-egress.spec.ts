// The egress guard decides about the address of an account's endpoint, whichever HTTP client the provider uses.

import { afterEach, describe, expect, it } from 'vitest';
import { type ChannelId, ProviderError } from '#domain';
import { startVendor, vendors } from '#testing';
import { ConnectionFactory } from './connection-factory.js';
import { type ProviderMessage, ReceiptRefused } from './define-provider.js';
import { EgressGuard } from './http/egress-guard.js';
import { VendorHttp } from './http/vendor-http.js';
import { providers } from './registry.js';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const contents: Partial<Record<ChannelId, Record<string, unknown>>> = {
  email: { subject: 'Hello', text: 'Hello there' },
  sms: { text: 'Hello there' },
  push: { title: 'Hello', body: 'Hello there' },
  chat: { text: 'Hello there' },
};

function messageTo(to: string | null, channel: ChannelId): ProviderMessage {
  const ids = { tenantId: 't', notificationId: 'n', deliveryId: 'd', recipientId: 'r' };
  return { ...ids, attempt: 1, channel, to, content: contents[channel]! };
}

const withEndpoint = Object.values(providers).filter(({ credentials }) => 'endpoint' in credentials.shape);

describe.each(withEndpoint)('the endpoint of $id', (provider) => {
  it.each(['127.0.0.1', 'localhost'])('is not connected to on %s unless the operator allows it', async (host) => {
    const vendor = await startVendor(vendors[provider.id]!);
    open.push(() => vendor.close());
    const guard = new EgressGuard([]);
    const http = new VendorHttp(guard);
    open.push(() => http.close());
    const { port } = new URL(vendor.url);
    const credentials = vendor.description.credentials(`http://${host}:${port}`);
    const deposit = async (): Promise<void> => undefined;
    const connection = provider.connect(provider.credentials.parse(credentials), {
      ...{ http, guard, deposit },
      receiptsUrl: null,
    });
    open.push(async () => connection.close?.());
    const options = { signal: AbortSignal.timeout(5_000), idempotencyKey: 'd:1' };
    const refused = { kind: 'misconfigured', code: 'forbidden_address' };
    const failures = [
      connection.send(messageTo(vendor.to, provider.channels[0]!), options),
      connection.verify({ signal: options.signal }),
    ].map((request) =>
      request.then(
        () => 'accepted',
        (error: unknown) => error,
      ),
    );
    for (const failure of await Promise.all(failures)) {
      expect(failure).toBeInstanceOf(ProviderError);
      expect(failure).toMatchObject(refused);
    }
    expect(vendor.log).toEqual([]);
  });
});

it('receipts of an account with an endpoint are refused in production', async () => {
  const vendor = vendors['ses']!.credentials('http://127.0.0.1:1');
  const factory = new ConnectionFactory({
    production: true,
    publicUrl: undefined,
    egressAllowedCidrs: ['127.0.0.0/8'],
    deposit: async () => undefined,
  });
  open.push(() => factory.close());
  const read = factory.receiptReader({ provider: 'ses', credentials: vendor });
  const call = {
    url: 'https://carillon.example.com/',
    headers: {},
    body: '{}',
    signal: AbortSignal.timeout(1_000),
    bindToken: async () => undefined,
  };
  await expect(read(call)).rejects.toThrow(new ReceiptRefused('credentials.endpoint: is refused in production'));
});
