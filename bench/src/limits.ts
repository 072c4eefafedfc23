// The limits of the machine: the same work with Carillon's own code left out.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import {
  AcceptStore,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  type NewNotification,
} from '../../dist/libs/database/src/index.js';
import { newId } from '../../dist/libs/domain/src/index.js';
import { freePort } from '../../services/programs.ts';
import { type BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import type { LoadOrder } from './load.ts';

/** Requests per second of a Nest and Fastify handler that only validates the body. */
export async function bareHandler(order: Omit<LoadOrder, 'port'>): Promise<number> {
  return await bare('bare-handler.ts', {}, order);
}

/** Requests per second of the same handler, if it returns one row of the database. */
export async function bareRead(
  product: BenchEnvironment,
  tenant: BenchTenant,
  order: Omit<LoadOrder, 'port'>,
): Promise<number> {
  return await bare('bare-read.ts', { DATABASE_URL: product.databaseUrl, TENANT: tenant.id }, order);
}

async function bare(
  file: string,
  environment: Record<string, string>,
  order: Omit<LoadOrder, 'port'>,
): Promise<number> {
  const port = await freePort();
  const child = spawn(process.execPath, [join(import.meta.dirname, file)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment, PORT: String(port) },
  });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await load({ ...order, port, requests: Math.ceil(order.requests / 4) });
    const result = await load({ ...order, port });
    return result.requests / result.seconds;
  } finally {
    child.kill();
  }
}

/** Rows per second of the accept statement alone, `batch` rows at a time over three connections. */
export async function acceptStatement(
  product: BenchEnvironment,
  tenant: BenchTenant,
  rows: number,
  batch: number,
): Promise<number> {
  const database = new Database({ url: product.databaseUrl, poolSize: 3 });
  const store = new AcceptStore(database, () => undefined);
  let number = 0;
  const newNotification = (): NewNotification => {
    number += 1;
    return {
      notification: {
        tenantId: tenant.id,
        id: newId(),
        recipientId: `user-${number % 1_000}`,
        type: null,
        category: 'default',
        channels: ['email'],
        templateId: 'welcome',
        content: null,
        payload: { name: 'Alice' },
        priority: 5,
        orderingKey: null,
        metadata: null,
        scheduledAt: null,
        expiresAt: null,
        endpointId: null,
        sharedContentId: null,
      },
      deliveries: [{ id: newId(), channel: 'email', address: null, addressFrom: 'email' }],
      recipient: null,
      traceparent: null,
      idempotency: { key: `limit-${number}`, bodyHash: '00'.repeat(32) },
    };
  };
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 3 }, async () => {
      while (number < rows) await store.acceptAll(Array.from({ length: batch }, newNotification));
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.close();
  return number / seconds;
}

/**
 * Deliveries per second of the statements of a drain alone (claim, load, intent, record), over three connections, without
 * templates, limits, providers and logs.
 */
export async function drainStatements(
  product: BenchEnvironment,
  deliveries: number,
  channel: 'email' | 'in_app',
): Promise<number> {
  const database = new Database({ url: product.databaseUrl, poolSize: 6 });
  const due = new DueDeliveriesStore(database);
  const store = new DeliveriesStore(database, () => undefined);
  let done = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 3 }, async () => {
      while (done < deliveries) {
        const claim = await due.claim({
          channel,
          lane: 2,
          limit: 500,
          claimId: newId(),
          leaseSeconds: 60,
          afterTenant: '00000000-0000-0000-0000-000000000000',
          capacities: new Map(),
        });
        if (claim.deliveries.length === 0) break;
        await Promise.all(
          claim.deliveries.map(async (delivery) => {
            const context = await store.load(delivery);
            if (channel === 'in_app') {
              await store.record(delivery, {
                kind: 'in_inbox',
                row: {
                  recipientId: context!.notification.recipientId,
                  category: 'default',
                  title: 'Welcome',
                  body: 'Good to have you.',
                  actionUrl: null,
                  data: null,
                },
                templateVersion: 1,
              });
              return;
            }
            const number = await due.begin({ delivery, rateLimitConsumed: true, provider: 'smtp', accountId: null });
            await store.record(delivery, {
              kind: 'sent',
              templateVersion: 1,
              attempt: {
                number: number!,
                provider: 'none',
                providerAccountId: null,
                outcome: 'sent',
                code: null,
                detail: null,
                providerMessageId: delivery.deliveryId,
                durationMs: 0,
              },
            });
          }),
        );
        done += claim.deliveries.length;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  await database.close();
  return done / seconds;
}
