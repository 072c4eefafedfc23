// TLS to vendors: the certificate must be trusted and must match the host name, whatever address the name resolves to.

import tls from 'node:tls';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ProviderError } from '#domain';
import { startVendor, type Vendor, vendors } from '#testing';
import type { ProviderMessage } from '../define-provider.js';
import { providers } from '../registry.js';
import { EgressGuard } from './egress-guard.js';
import { VendorHttp } from './vendor-http.js';

const open: (() => Promise<void>)[] = [];
const trusted = tls.getCACertificates();
const message: ProviderMessage = {
  tenantId: '01939d05-0000-7000-8000-000000000001',
  notificationId: 'n',
  deliveryId: '01939d05-0000-7000-8000-000000000002',
  recipientId: 'r',
  attempt: 1,
  channel: 'email',
  to: 'someone@example.com',
  content: { subject: 'Hello', text: 'Hello there' },
};

async function certificateOf(name: string): Promise<{ key: string; cert: string }> {
  const altNames = [{ type: 2 as const, value: name }];
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2_048,
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  return { key: made.private, cert: made.cert };
}

/** Sends one message through the vendor's provider. */
async function send(vendor: Vendor, credentials = vendor.credentials): Promise<string | ProviderError> {
  const provider = providers[vendor.description.id]!;
  const guard = new EgressGuard(['127.0.0.0/8', '::1/128']);
  const http = new VendorHttp(guard);
  const context = { http, guard, deposit: async () => undefined, receiptsUrl: null };
  const connection = provider.connect(provider.credentials.parse(credentials), context);
  try {
    const sent = await connection.send(message, { signal: AbortSignal.timeout(5_000), idempotencyKey: 'd:1' });
    return sent.messageId ?? '';
  } catch (error) {
    return error as ProviderError;
  } finally {
    await connection.close?.();
    await http.close();
  }
}

// The two HTTP clients: ours, and that of the AWS SDK.
describe.each(['sendgrid', 'ses'])('%s behind TLS', (id) => {
  let right: { key: string; cert: string };
  let other: { key: string; cert: string };
  beforeAll(async () => {
    right = await certificateOf('localhost');
    other = await certificateOf('vendor.example.com');
    tls.setDefaultCACertificates([...trusted, right.cert, other.cert]);
  });
  afterAll(() => tls.setDefaultCACertificates(trusted));
  afterEach(async () => {
    for (const close of open.splice(0)) await close();
  });
  const vendorWith = async (certificate: { key: string; cert: string }): Promise<Vendor> => {
    const vendor = await startVendor(vendors[id]!, certificate);
    open.push(() => vendor.close());
    return vendor;
  };

  it('gets the message if the certificate matches its name', async () => {
    const vendor = await vendorWith(right);
    expect(await send(vendor)).toMatch(/./);
    expect(vendor.sends).toHaveLength(1);
  });

  it('gets nothing if the certificate is for another name', async () => {
    const vendor = await vendorWith(other);
    const error = await send(vendor);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ kind: 'transient', code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(vendor.log).toEqual([]);
  });

  it('gets nothing if the certificate is not trusted', async () => {
    const vendor = await vendorWith(await certificateOf('localhost'));
    const error = await send(vendor);
    expect(error).toMatchObject({ kind: 'transient', code: expect.stringMatching(/CERT|SELF_SIGNED/) });
    expect(vendor.log).toEqual([]);
  });
});
