// Exports spans with OpenTelemetry's SDK. start-tracing.ts imports this file only if traces are on: the SDK takes
// 0.9 s and 45 MB to load.

import {
  type Attributes,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOnSampler } from '@opentelemetry/sdk-trace';
import { headSampler, type SamplerName } from './head-sampler.js';
import type { FinishedSpan, SpanSink } from './span-sink.js';
import { newSpanId, newTraceId } from './trace-context.js';

export interface SinkOptions {
  /** Undefined: the environment names the service. */
  serviceName: string | undefined;
  sampler: SamplerName;
  ratio: number;
  onFault: (message: string) => void;
}

const KINDS: Record<FinishedSpan['kind'], SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Gives the SDK the ids of the span that is being added: log lines and messages have them already. */
class GivenIds {
  next: FinishedSpan | undefined;
  generateTraceId(): string {
    return this.next?.traceId ?? newTraceId();
  }
  generateSpanId(): string {
    return this.next?.spanId ?? newSpanId();
  }
}

/**
 * The SDK reads exporter, protocol, headers, limits and queue from OTEL_* variables. Its queue is bounded
 * (OTEL_BSP_MAX_QUEUE_SIZE): spans that do not fit are dropped.
 */
export class OpenTelemetrySink implements SpanSink {
  readonly isSampled: SpanSink['isSampled'];
  private readonly ids = new GivenIds();
  private readonly sdk: NodeSDK;
  private readonly tracer: Tracer;

  constructor({ serviceName, sampler, ratio, onFault }: SinkOptions) {
    this.isSampled = headSampler(sampler, ratio);
    const ignore = (): void => undefined;
    // Before the SDK, which replaces it if OTEL_LOG_LEVEL is set.
    diag.setLogger(
      { error: onFault, warn: onFault, info: ignore, debug: ignore, verbose: ignore },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
    this.sdk = new NodeSDK({
      ...(serviceName !== undefined && { serviceName }),
      // Only spans that are to be exported are added.
      sampler: new AlwaysOnSampler(),
      idGenerator: this.ids,
      textMapPropagator: null,
      // Metrics and logs have their own ways out of the process.
      metricReaders: [],
      logRecordProcessors: [],
    });
    this.sdk.start();
    this.tracer = trace.getTracer('carillon');
  }

  add(span: FinishedSpan): void {
    const { traceId, parentId, name, startedAt, endedAt, attributes, link, error } = span;
    const parent = parentId && { traceId, spanId: parentId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
    this.ids.next = span;
    const started = this.tracer.startSpan(
      name,
      {
        kind: KINDS[span.kind],
        startTime: startedAt,
        attributes: withoutNulls(attributes),
        links: link ? [{ context: { ...link, traceFlags: TraceFlags.NONE } }] : [],
      },
      parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT,
    );
    this.ids.next = undefined;
    if (error !== undefined) started.setStatus({ code: SpanStatusCode.ERROR, message: error });
    started.end(endedAt);
  }

  /** Exports what is queued. */
  async close(): Promise<void> {
    await this.sdk.shutdown();
  }
}

function withoutNulls(attributes: FinishedSpan['attributes']): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value != null)) as Attributes;
}
