// The same seven steps for one delivery, written for a job queue, on the same tables: load, consent, limit, render, intent,
// send, record, one statement or transaction each. (The queue claims.)

import Handlebars from 'handlebars';
import type pg from 'pg';
import { uuid7 } from '../src/bench-environment.ts';

export interface Job {
  tenantId: string;
  deliveryId: string;
}

interface Loaded {
  notification_id: string;
  recipient_id: string;
  address: string | null;
  email: string | null;
  payload: Record<string, unknown>;
  switches: Record<string, boolean> | null;
  template_id: string;
  version: number;
  content: Record<string, string>;
}

const LOAD = `
select d.notification_id, d.recipient_id, d.address, r.email, n.payload, p.channels as switches, t.id as template_id, t.version, v.content
from deliveries d
join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
left join recipients r on r.tenant_id = d.tenant_id and r.id = d.recipient_id
left join preferences p on p.tenant_id = d.tenant_id and p.recipient_id = d.recipient_id
join templates t on t.tenant_id = d.tenant_id and t.key = n.template_id and t.channel = d.channel
join template_versions v on v.tenant_id = t.tenant_id and v.template_id = t.id and v.version = t.version
where d.tenant_id = $1 and d.id = $2`;

const TAKE = `
insert into rate_windows as w (tenant_id, key, hits, window_seconds, max_hits, granted, expires_at)
values ($1, $2, array[clock_timestamp()], 3600, 10, 1, now() + interval '1 hour')
on conflict (tenant_id, key) do update set hits = w.hits || clock_timestamp(), granted = w.granted + 1
where w.granted < 10
returning granted`;

const RECORD = [
  `insert into attempts (tenant_id, delivery_id, number, provider, outcome, provider_message_id) values ($1, $2, 1, 'sandbox', 'sent', $3)`,
  `update deliveries set state = 'sent', provider = 'sandbox', provider_message_id = $3, attempts = 1, sent_at = now() where tenant_id = $1 and id = $2`,
  `update notifications set succeeded = succeeded + 1 where tenant_id = $1 and id = $2`,
];

/** The steps for one job, with prepared statements and cached templates. */
export function sevenSteps(pool: pg.Pool): (job: Job) => Promise<void> {
  const compiled = new Map<string, Record<string, Handlebars.TemplateDelegate>>();
  const query = <Row extends pg.QueryResultRow>(name: string, text: string, values: unknown[]) =>
    pool.query<Row>({ name, text, values });
  return async ({ tenantId, deliveryId }) => {
    const { rows } = await query<Loaded>('load', LOAD, [tenantId, deliveryId]);
    const loaded = rows[0]!;
    if (loaded.switches?.['email'] === false) return;
    const limit = await query('take', TAKE, [tenantId, `email:${loaded.recipient_id}`]);
    if (limit.rowCount === 0) throw new Error('too many');
    const key = `${loaded.template_id} ${loaded.version}`;
    let template = compiled.get(key);
    if (!template) {
      template = Object.fromEntries(
        Object.entries(loaded.content).map(([field, text]) => [field, Handlebars.compile(text)]),
      );
      compiled.set(key, template);
    }
    const message = Object.fromEntries(
      Object.entries(template).map(([field, render]) => [field, render(loaded.payload)]),
    );
    // The intent is committed before the send.
    await query('intent', `update deliveries set attempts = 1 where tenant_id = $1 and id = $2 and state = 'waiting'`, [
      tenantId,
      deliveryId,
    ]);
    // The send, like the sandbox's.
    const messageId = uuid7();
    await query(
      'send',
      `insert into mailbox_messages (tenant_id, id, channel, recipient_address, delivery_id, notification_id, message, outcome)
       values ($1, $2, 'email', $3, $4, $5, $6, 'sent')`,
      [
        tenantId,
        messageId,
        loaded.address ?? loaded.email,
        deliveryId,
        loaded.notification_id,
        JSON.stringify(message),
      ],
    );
    const client = await pool.connect();
    try {
      await client.query('begin');
      await client.query({ name: 'attempt', text: RECORD[0]!, values: [tenantId, deliveryId, messageId] });
      await client.query({ name: 'state', text: RECORD[1]!, values: [tenantId, deliveryId, messageId] });
      await client.query({ name: 'count', text: RECORD[2]!, values: [tenantId, loaded.notification_id] });
      await client.query('commit');
    } finally {
      client.release();
    }
  };
}
