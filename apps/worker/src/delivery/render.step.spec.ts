import { afterAll, expect, it } from 'vitest';
import { channels, StopPipeline } from '#domain';
import { TemplateRenderer } from '#templates';
import type { ComposeDigest } from './digest/compose-digest.js';
import type { Limited } from './pipeline-context.js';
import { RenderStep } from './render.step.js';
import { UnsubscribeLinks } from './unsubscribe-links.js';

const renderer = new TemplateRenderer({ threads: 1 });
afterAll(() => renderer.close());
// No delivery of this file leads a digest.
const noDigests = {} as ComposeDigest;
const step = new RenderStep(renderer, new UnsubscribeLinks(undefined, () => Buffer.alloc(32)), noDigests);

const limited = (text: string, payload: object): Limited =>
  ({
    delivery: { tenantId: 'tenant', deliveryId: 'd' },
    channel: channels.in_app,
    content: { title: 't', body: text },
    context: {
      notification: { recipientId: 'r', endpointId: null, payload },
      recipient: { attributes: { name: 'Ann' }, locale: 'fr' },
      tenant: { settings: {} },
    },
  }) as unknown as Limited;

it('renders with the payload over what is known of the recipient', async () => {
  const text = '{{recipient.name}} {{recipient.locale}} {{n}}';
  expect((await step.run(limited(text, { n: 1 }))).message['body']).toBe('Ann fr 1');
  expect((await step.run(limited('{{recipient}}', { recipient: 'mine' }))).message['body']).toBe('mine');
});

it('holds a delivery whose render finds no place; it does not fail', async () => {
  const rows = Array.from({ length: 9_000 }, (_, n) => n);
  const slow = `{{#each rows}}${'{{#if (eq this 1)}}y{{/if}}'.repeat(20)}{{/each}}`;
  const runs = Array.from({ length: 520 }, () => step.run(limited(slow, { rows })).catch((error: unknown) => error));
  const refused = await runs.at(-1);
  expect(refused).toBeInstanceOf(StopPipeline);
  expect((refused as StopPipeline).outcome).toMatchObject({ kind: 'held', reason: 'retry', rateLimitConsumed: true });
  await renderer.close();
  await Promise.all(runs);
});
