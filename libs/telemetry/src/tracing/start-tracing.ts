import type { SamplerName } from './head-sampler.js';
import { useSpanSink } from './span-sink.js';

export interface TracingSettings {
  /** Undefined: `service` of {@link startTracing}. */
  serviceName: string | undefined;
  sampler: SamplerName;
  /** The share of traces, for the samplers with `traceidratio`. */
  ratio: number;
}

export interface Tracing {
  /** Exports what is queued, for {@link STOP_MS} at most. */
  stop(): Promise<void>;
}

/** A collector that does not answer must not keep a process from stopping. */
const STOP_MS = 2_000;
/** The SDK reports each batch that it cannot export. */
const FAULT_INTERVAL_MS = 60_000;

/** Starts the traces of this process. `settings`: undefined if traces are off; nothing is loaded then. */
export async function startTracing(
  service: 'carillon' | 'carillon-api' | 'carillon-worker',
  settings: TracingSettings | undefined,
  onFault: (message: string) => void,
): Promise<Tracing> {
  if (!settings) return { stop: async () => undefined };
  const { OpenTelemetrySink } = await import('./open-telemetry-sink.js');
  const sink = new OpenTelemetrySink({
    ...settings,
    serviceName: settings.serviceName ?? service,
    onFault: atMostEvery(FAULT_INTERVAL_MS, onFault),
  });
  useSpanSink(sink);
  return {
    stop: async () => {
      useSpanSink(undefined);
      await Promise.race([sink.close().catch(() => undefined), after(STOP_MS)]);
    },
  };
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function atMostEvery(ms: number, report: (message: string) => void): (message: string) => void {
  let reportedAt = Number.NEGATIVE_INFINITY;
  return (message) => {
    if (performance.now() - reportedAt < ms) return;
    reportedAt = performance.now();
    report(message);
  };
}
