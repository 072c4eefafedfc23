// The standard variables of OpenTelemetry that Carillon reads itself. The exporter reads the others.

import { z } from 'zod';

const TRACES_SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' });

export const tracingSettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: httpUrl
    .optional()
    .describe(
      'The OTLP collector that traces are sent to, for example `http://collector:4318`. Unset: no traces. The other ' +
        '`OTEL_*` variables of the standard are read too (docs/observability.md).',
    ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: httpUrl
    .optional()
    .describe('The same for traces only, with the path: `http://collector:4318/v1/traces`.'),
  OTEL_TRACES_EXPORTER: z
    .enum(['otlp', 'none'], { error: 'must be otlp or none' })
    .optional()
    .describe('`otlp` sends traces, by default to `http://localhost:4318`; `none` sends none.'),
  OTEL_SERVICE_NAME: z
    .string()
    .optional()
    .describe(
      'The `service.name` of traces. Default: `carillon-api`, `carillon-worker`, or `carillon` for `npm start`.',
    ),
  OTEL_TRACES_SAMPLER: z
    .enum(TRACES_SAMPLERS, { error: `must be one of ${TRACES_SAMPLERS.join(', ')}` })
    .default('parentbased_always_on')
    .describe(
      'Which traces are sent. `parentbased_…` follows the decision of the caller. Spans of deliveries whose attempt ' +
        'fails are always sent.',
    ),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number({ error: 'must be a number from 0 to 1' })
    .min(0, 'must be a number from 0 to 1')
    .max(1, 'must be a number from 0 to 1')
    .default(1)
    .describe('The share of traces that the samplers with `traceidratio` send.'),
};

export interface TracingConfig {
  readonly serviceName: string | undefined;
  readonly sampler: (typeof TRACES_SAMPLERS)[number];
  readonly ratio: number;
}

/** Undefined: no traces. */
export function tracingOf(
  settings: z.infer<z.ZodObject<typeof tracingSettings>>,
  environment: Readonly<Record<string, string | undefined>>,
): TracingConfig | undefined {
  const exporter = settings.OTEL_TRACES_EXPORTER;
  const endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT ?? settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const isOn = exporter === 'otlp' || (exporter === undefined && endpoint !== undefined);
  if (!isOn || environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  return Object.freeze({
    serviceName: settings.OTEL_SERVICE_NAME,
    sampler: settings.OTEL_TRACES_SAMPLER,
    ratio: settings.OTEL_TRACES_SAMPLER_ARG,
  });
}
