export { gauges } from './gauge-list.js';
export { createLogger, type Logger, NestLogger } from './logger.js';
export { counters, histograms, type MetricDefinition, tenantCounters } from './metric-list.js';
export { answerMetrics, instruments, makeInstruments, startMetrics } from './metrics.js';
export { observeStores } from './observe-stores.js';
export { type OperationsServer, type Readiness, startOperationsServer } from './operations-server.js';
export { stopOnSignal } from './stop-on-signal.js';
export { OTHER_TENANTS } from './tenant-counter.js';
export { type AcceptTrace, beginAccept, beginFire, endAccept, noteReceipt } from './tracing/accept-trace.js';
export {
  beginTrace,
  continueTrace,
  type DeliveryTrace,
  deliveryFields,
  deliveryTraceId,
  noteClaims,
  onwardTraceparent,
  traceHeaders,
  traceOf,
} from './tracing/delivery-trace.js';
export { type FinishedSpan, type SpanAttributes, spanSink, useSpanSink } from './tracing/span-sink.js';
export { startTracing, type Tracing } from './tracing/start-tracing.js';
export { traceIdOf, traceparentOf } from './tracing/trace-context.js';
