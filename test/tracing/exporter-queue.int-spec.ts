// The queue of the exporter when spans come faster than it sends them.

import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { spanSink, startTracing, type Tracing } from '#telemetry';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.js';

/** The defaults of OTEL_BSP_MAX_QUEUE_SIZE and OTEL_BSP_MAX_EXPORT_BATCH_SIZE: a queue, and a batch on its way. */
const MAX_KEPT = 2_048 + 512;

let receiver: OtlpReceiver;
let tracing: Tracing;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  for (const [name, value] of Object.entries(receiver.environment)) vi.stubEnv(name, value);
  const settings = { serviceName: undefined, sampler: 'parentbased_always_on', ratio: 1 } as const;
  tracing = await startTracing('carillon', settings, () => undefined);
});
afterAll(async () => {
  await receiver?.close();
  vi.unstubAllEnvs();
});

it('a full queue of the exporter drops the spans that do not fit', async () => {
  // Without a pause, so the exporter can take none out of the queue meanwhile.
  for (let count = 0; count < 20_000; count += 1) addSpan();
  await tracing.stop();
  expect(receiver.spans.length).toBeGreaterThan(0);
  expect(receiver.spans.length).toBeLessThanOrEqual(MAX_KEPT);
});

function addSpan(): void {
  const now = performance.now();
  spanSink()!.add({
    name: 'accept',
    kind: 'server',
    traceId: '1'.repeat(32),
    spanId: '2'.repeat(16),
    parentId: undefined,
    startedAt: now,
    endedAt: now,
    attributes: {},
  });
}
