import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import type { SpanSink } from './span-sink.js';

/** The values of OTEL_TRACES_SAMPLER. */
export type SamplerName =
  | 'always_on'
  | 'always_off'
  | 'traceidratio'
  | 'parentbased_always_on'
  | 'parentbased_always_off'
  | 'parentbased_traceidratio';

/** Decides at the begin of a trace, and follows the decision of the caller with `parentbased_…`. */
export function headSampler(name: SamplerName, ratio: number): SpanSink['isSampled'] {
  const isParentBased = name.startsWith('parentbased_');
  const root = rootSampler(name.replace('parentbased_', ''), ratio);
  const sampler = isParentBased ? new ParentBasedSampler({ root }) : root;
  return (traceId, parent) => {
    const traceFlags = parent?.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
    const context = parent
      ? trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: parent.spanId, traceFlags, isRemote: true })
      : ROOT_CONTEXT;
    const { decision } = sampler.shouldSample(context, traceId, 'accept', SpanKind.SERVER, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}

function rootSampler(name: string, ratio: number): Sampler {
  if (name === 'always_off') return new AlwaysOffSampler();
  return name === 'traceidratio' ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
}
