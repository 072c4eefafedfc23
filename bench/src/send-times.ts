import { setTimeout as delay } from 'node:timers/promises';
import { type BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import { check } from './scenario.ts';

export interface Stream {
  product: BenchEnvironment;
  tenant: BenchTenant;
  port: number;
  /** Requests per second, at random times. */
  rate: number;
  seconds: number;
  /** Prefix of the idempotency keys, different for each stream. */
  prefix: string;
  /** The minimum number of sends. Default: all. */
  atLeast?: number;
}

/** Milliseconds from each request to the record of its send, without the first second (warm-up). */
export async function sendTimes({ product, tenant, port, rate, seconds, prefix, atLeast }: Stream): Promise<number[]> {
  const requests = rate * (seconds + 1);
  const result = await load({
    port,
    path: '/api/v1/notifications',
    connections: 16,
    headers: { 'X-API-Key': tenant.apiKey },
    body: '{"recipient_id":"user-{n}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}',
    recipients: 1,
    requests,
    rate,
    keyPrefix: prefix,
  });
  check('requests answered with 202', result.statuses['202'] ?? 0, requests);
  const wanted = atLeast ?? requests;
  const sent = async (): Promise<Map<string, number>> => {
    const { rows } = await product.sql.query<{ id: string; sent: string }>(
      `select d.notification_id as id, extract(epoch from a.ended_at) * 1000 as sent from deliveries d join attempts a on a.tenant_id = d.tenant_id and a.delivery_id = d.id
       where d.tenant_id = $1 and d.notification_id = any ($2::uuid[]) and a.outcome = 'sent'`,
      [tenant.id, result.ids],
    );
    return new Map(rows.map((row) => [row.id, Number(row.sent)]));
  };
  let found = await sent();
  for (let tries = 0; found.size < wanted && tries < 200; tries += 1) {
    await delay(100);
    found = await sent();
  }
  if (atLeast === undefined) check('sent', found.size, requests);
  return result
    .ids!.flatMap((id, number) => (found.has(id) ? [found.get(id)! - result.sentAt![number]!] : []))
    .slice(rate);
}
