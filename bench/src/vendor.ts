// A fake vendor with an HTTP API on loopback, and accounts for it.

import { startVendor, type Vendor } from '../../libs/testing/src/vendors/http-vendor.ts';
import type { BenchTenant } from './bench-environment.ts';

/** Production refuses accounts with an `endpoint` and requests to loopback. */
export const FAKES = { NODE_ENV: 'development' };

export const ACCEPTED = { status: 202, headers: { 'x-message-id': 'm' }, body: '' };

/** Answers like SendGrid. */
export function vendor(): Promise<Vendor> {
  return startVendor({
    id: 'sendgrid',
    credentials: (endpoint) => ({ api_key: 'a-secret-of-the-account', from: 'bench@example.com', endpoint }),
    secrets: [],
    to: 'user@example.com',
    isSend: ({ path }) => path === '/v3/mail/send',
    accept: () => ACCEPTED,
    refusals: {},
  });
}

export async function account(port: number, tenant: BenchTenant, vendor: Vendor): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/provider-accounts`, {
    method: 'POST',
    headers: { 'X-API-Key': tenant.apiKey, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: vendor.url, provider: vendor.description.id, credentials: vendor.credentials }),
  });
  if (answer.status !== 201) throw new Error(`no account: ${answer.status} ${await answer.text()}`);
}
