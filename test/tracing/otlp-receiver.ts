// A collector: takes OTLP over HTTP, and keeps the requests and, of JSON, the spans.

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  service: string;
  name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  /** Seconds. */
  startedAt: number;
  endedAt: number;
  attributes: Record<string, unknown>;
  /** The first span of another trace that it links to. */
  link: { traceId: string; spanId: string } | undefined;
  /** The message of a status of error. */
  error: string | undefined;
}

export interface OtlpReceiver {
  url: string;
  spans: ReceivedSpan[];
  /** Every request as it came. */
  requests: { path: string; contentType: string; body: string }[];
  /** All requests, as text. */
  text(): string;
  /** The settings that make a process send its traces here at once. */
  environment: Record<string, string>;
  /** Takes requests and answers none. */
  hang(): void;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: OtlpReceiver['requests'] = [];
  let hangs = false;
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const contentType = String(request.headers['content-type']);
    requests.push({ path: String(request.url), contentType, body: body.toString('latin1') });
    if (hangs) return;
    if (contentType === 'application/json') spans.push(...spansIn(JSON.parse(body.toString())));
    response.setHeader('content-type', contentType).end(contentType === 'application/json' ? '{}' : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    spans,
    requests,
    text: () => requests.map(({ body }) => body).join('\n'),
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '50',
    },
    hang: () => {
      hangs = true;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface AnyValue {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
}

interface Attribute {
  key: string;
  value: AnyValue;
}

interface OtlpSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  /** A collector leaves out what is empty. */
  attributes?: Attribute[];
  status?: { code?: number; message?: string };
  links?: { traceId: string; spanId: string }[];
}

interface OtlpTraces {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const ERROR = 2;

/** None of a request with logs. */
function spansIn({ resourceSpans = [] }: Partial<OtlpTraces>): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(attributesOf(resource.attributes)['service.name']),
        name: span.name,
        kind: span.kind,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || undefined,
        startedAt: Number(span.startTimeUnixNano) / 1e9,
        endedAt: Number(span.endTimeUnixNano) / 1e9,
        attributes: attributesOf(span.attributes),
        link: span.links?.[0],
        error: span.status?.code === ERROR ? (span.status.message ?? '') : undefined,
      })),
    ),
  );
}

function attributesOf(attributes: readonly Attribute[] = []): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
