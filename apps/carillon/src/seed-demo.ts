// The demo tenant: created at the first start of the embedded profile, reused afterwards.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiKeysStore, Database, type PlatformKeys, RecipientsStore, TemplatesStore, TenantsStore } from '#database';
import { DomainError, hashSecret, newApiKey, scopes } from '#domain';

export interface Demo {
  tenantId: string;
  apiKey: string;
  recipientId: string;
  recipientName: string;
}

const RECIPIENT = { id: 'user-123', name: 'Alice', email: 'alice@example.com', phone: '+15005550100' };

const WELCOME =
  'Good to have you. Carillon accepted, rendered and delivered this message, and the sandbox captured it for you.';

const TEMPLATES = [
  {
    key: 'welcome',
    channel: 'email',
    locale: 'en',
    content: {
      subject: 'Welcome, {{name}}',
      html: `<h1>Welcome, {{name}}</h1><p>${WELCOME}</p>`,
      text: `Welcome, {{name}}.\n\n${WELCOME}`,
    },
  },
  {
    key: 'welcome',
    channel: 'email',
    locale: 'fr',
    content: { subject: 'Bienvenue, {{name}}', text: 'Bienvenue, {{name}}. Ce message a été remis par Carillon.' },
  },
  {
    key: 'welcome',
    channel: 'in_app',
    locale: 'en',
    content: { title: 'Welcome, {{name}}', body: 'This arrived live, and it is still here after a restart.' },
  },
  { key: 'welcome', channel: 'sms', locale: 'en', content: { text: 'Welcome, {{name}}!' } },
] as const;

/** Returns the demo tenant. Creates it unless it is in both the file and the database. */
export async function seedDemo(database: Database, keys: PlatformKeys, home: string): Promise<Demo> {
  const file = join(home, 'demo.json');
  if (existsSync(file)) {
    const known = JSON.parse(readFileSync(file, 'utf8')) as Demo;
    if (await new TenantsStore(database).get(known.tenantId)) return known;
  }
  // No audit entry, because no request makes this change.
  const settings = {
    // The default of ten e-mails an hour is too low for trying things out.
    recipient_limits: {
      email: { limit: 1_000, window_seconds: 3_600 },
      sms: { limit: 1_000, window_seconds: 3_600 },
      in_app: { limit: 1_000, window_seconds: 3_600 },
      push: { limit: 1_000, window_seconds: 3_600 },
    },
    requests_per_minute: 100_000,
  };
  const tenant = await new TenantsStore(database).create('Demo', settings, null);
  const key = newApiKey('live');
  const fields = {
    tenantId: tenant.id,
    keyId: key.keyId,
    secretHash: hashSecret(keys.apiKeyPepper, key.secret),
    name: 'Demo',
    mode: 'live' as const,
    scopes: [...scopes],
    allowedIps: [],
    expiresAt: null,
  };
  await new ApiKeysStore(database).create(fields, null);
  const recipients = new RecipientsStore(database);
  await recipients.put(tenant.id, RECIPIENT.id, {
    email: RECIPIENT.email,
    phone: RECIPIENT.phone,
    locale: 'en',
    timezone: 'Europe/Paris',
    attributes: { name: RECIPIENT.name },
  });
  await recipients.addDevice(tenant.id, RECIPIENT.id, { token: 'demo-device', platform: 'web' });
  await createTemplates(database, tenant.id);
  const demo: Demo = {
    tenantId: tenant.id,
    apiKey: key.text,
    recipientId: RECIPIENT.id,
    recipientName: RECIPIENT.name,
  };
  // Written last: after an incomplete start, the next one creates another tenant.
  writeFileSync(file, `${JSON.stringify(demo, null, 2)}\n`, { mode: 0o600 });
  return demo;
}

async function createTemplates(database: Database, tenantId: string): Promise<void> {
  const templates = new TemplatesStore(database);
  const rest = { kind: 'template' as const, payloadSchema: null, layout: null, uses: {} };
  for (const template of TEMPLATES) {
    await templates
      .create(
        tenantId,
        { ...template, ...rest, samplePayload: { name: RECIPIENT.name } },
        { audit: null, defaultLocale: null },
      )
      .catch((error: unknown) => {
        if (!(error instanceof DomainError && error.code === 'conflict')) throw error;
      });
  }
}
