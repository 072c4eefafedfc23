import { z } from 'zod';
import { channelIds, decidingRules, deliveryStates } from '#domain';
import { jsonObject, recipientId, time } from '../../http/schemas.js';

const rule = z.enum(Object.keys(decidingRules) as (keyof typeof decidingRules)[]);

const verdict = z.object({
  state: z.enum(deliveryStates),
  reason: z.string().nullable(),
  rule: rule.nullable().meta({ description: 'The setting that decided; docs/reasons.md lists them' }),
  detail: z.string().nullable(),
  due_at: time.nullable().meta({ description: 'Until when it waits; null if it does not, or if that is not known' }),
});

export const explanationView = verdict
  .extend({
    channel: z.enum(channelIds),
    recipient_id: recipientId,
    when_due: verdict
      .nullable()
      .meta({ description: 'For a delivery that waits until due_at: the decision at that time if nothing changes' }),
    provider_order: z.array(
      z.object({
        name: z.string().nullable().meta({ description: 'null for accounts of the platform and the sandbox' }),
        provider: z.string(),
        owner: z.enum(['tenant', 'platform', 'sandbox']),
        health: z.enum(['closed', 'half_open', 'open']).meta({ description: 'The breaker; an open one does not send' }),
        permitted: z.boolean().meta({ description: 'Whether it reaches the address and allows the sender' }),
        detail: z.string().nullable(),
      }),
    ),
    caps: z.array(
      z.object({
        rule,
        limit: z.int(),
        remaining: z.int(),
        resets_at: time.nullable().meta({ description: 'When the next one is free; null if one is free now' }),
      }),
    ),
    template_version: z.int().nullable(),
    message: jsonObject.nullable().meta({ description: 'The rendered content; null if it does not render' }),
    errors: z.array(z.object({ pointer: z.string(), code: z.string(), message: z.string() })),
  })
  .meta({ id: 'DeliveryExplanation' });
export type ExplanationView = z.infer<typeof explanationView>;

export const explainView = z.object({ deliveries: z.array(explanationView) }).meta({ id: 'Explanation' });
