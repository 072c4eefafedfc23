// What the compose file gives to Grafana: data sources, their links to each other, and the dashboards.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const FOLDER = join(import.meta.dirname, '../../deployments');
const yaml = (path: string): unknown => parse(readFileSync(join(FOLDER, path), 'utf8'), { merge: true });

/** The documented keys that we use: https://grafana.com/docs/grafana/latest/administration/provisioning/ */
const dataSources = z.strictObject({
  apiVersion: z.literal(1),
  datasources: z.array(
    z.strictObject({
      name: z.string(),
      type: z.enum(['prometheus', 'tempo', 'loki']),
      uid: z.string(),
      access: z.literal('proxy'),
      url: z.url(),
      isDefault: z.boolean().optional(),
      jsonData: z.strictObject({
        timeInterval: z.string().optional(),
        tracesToLogsV2: z
          .strictObject({
            datasourceUid: z.string(),
            spanStartTimeShift: z.string().regex(/^-\d+m$/),
            spanEndTimeShift: z.string().regex(/^\d+m$/),
            customQuery: z.literal(true),
            // Grafana replaces variables of the environment, so a dollar is written twice.
            query: z.string().regex(/(?<!\$)\$\$\{__trace\.traceId\}/),
          })
          .optional(),
        derivedFields: z
          .array(
            z.strictObject({
              name: z.string(),
              matcherType: z.literal('label'),
              matcherRegex: z.literal('trace_id'),
              url: z.literal('$${__value.raw}'),
              datasourceUid: z.string(),
            }),
          )
          .optional(),
      }),
    }),
  ),
});
const dashboardProviders = z.strictObject({
  apiVersion: z.literal(1),
  providers: z.array(
    z.strictObject({
      name: z.string(),
      folder: z.string(),
      type: z.literal('file'),
      allowUiUpdates: z.boolean(),
      options: z.strictObject({ path: z.string() }),
    }),
  ),
});

const sources = globSync('grafana/provisioning/datasources/*.yaml', { cwd: FOLDER }).flatMap(
  (path) => dataSources.parse(yaml(path)).datasources,
);
const { services } = yaml('compose.yaml') as { services: Record<string, { volumes?: string[] }> };

interface Position {
  x: number;
  y: number;
  w: number;
  h: number;
}
interface DashboardFile {
  uid: string;
  templating: { list: { name: string; type: string; query: unknown }[] };
  panels: { title: string; gridPos: Position; datasource?: { type: string; uid: string } }[];
}
const dashboards = globSync('grafana/dashboards/*.json', { cwd: FOLDER }).map(
  (path) => JSON.parse(readFileSync(join(FOLDER, path), 'utf8')) as DashboardFile,
);

describe('the data sources of Grafana', () => {
  it('are services of the compose file, on the ports of their configurations', () => {
    const ports = {
      prometheus: 9090,
      tempo: (yaml('tempo/tempo.yaml') as { server: { http_listen_port: number } }).server.http_listen_port,
      loki: (yaml('loki/loki.yaml') as { server: { http_listen_port: number } }).server.http_listen_port,
    };
    expect(Object.fromEntries(sources.map(({ uid, url }) => [uid, url]))).toEqual(
      Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `http://${name}:${port}`])),
    );
    expect(Object.keys(services)).toEqual(expect.arrayContaining(Object.keys(ports)));
  });

  it('link traces to logs and back by uids that exist', () => {
    const linked = sources.flatMap(({ jsonData: { tracesToLogsV2, derivedFields = [] } }) =>
      [tracesToLogsV2, ...derivedFields].flatMap((link) => link?.datasourceUid ?? []),
    );
    expect(linked.sort()).toEqual(['loki', 'tempo']);
    const uids = sources.map(({ uid }) => uid);
    expect(linked.filter((uid) => !uids.includes(uid))).toEqual([]);
  });

  it('of metrics is the default, with the scrape interval of Prometheus', () => {
    const [metrics, ...others] = sources.filter(({ isDefault }) => isDefault);
    expect([metrics?.type, others]).toEqual(['prometheus', []]);
    const { global } = yaml('prometheus/prometheus.yaml') as { global: { scrape_interval: string } };
    expect(metrics?.jsonData.timeInterval).toBe(global.scrape_interval);
  });

  it('get what the collectors send', () => {
    const { exporters } = yaml('otel/traces.yaml') as { exporters: Record<string, { endpoint: string }> };
    const tempo = yaml('tempo/tempo.yaml') as {
      distributor: { receivers: { otlp: { protocols: { grpc: { endpoint: string } } } } };
    };
    const [, port] = tempo.distributor.receivers.otlp.protocols.grpc.endpoint.split(':');
    expect(exporters['otlp/tempo']?.endpoint).toBe(`tempo:${port}`);
    const logs = yaml('otel/logs.yaml') as { exporters: Record<string, { endpoint: string }> };
    // Loki takes OTLP under /otlp: https://grafana.com/docs/loki/latest/send-data/otel/
    expect(logs.exporters['otlphttp/loki']?.endpoint).toBe(`${sources.find(({ uid }) => uid === 'loki')!.url}/otlp`);
  });
});

describe('the dashboards', () => {
  it('are mounted where Grafana looks for them', () => {
    const { providers } = dashboardProviders.parse(yaml('grafana/provisioning/dashboards/carillon.yaml'));
    const mounts = services['grafana']?.volumes ?? [];
    expect(mounts).toContain(`./grafana/dashboards:${providers[0]?.options.path}:ro`);
    expect(mounts).toContain('./grafana/provisioning:/etc/grafana/provisioning:ro');
  });

  it('take the data source of their variable, which is one of Prometheus', () => {
    expect(dashboards).toHaveLength(7);
    for (const { uid, templating, panels } of dashboards) {
      const variable = templating.list.find(({ type }) => type === 'datasource');
      expect([uid, variable]).toMatchObject([uid, { name: 'datasource', query: 'prometheus' }]);
      const used = panels.flatMap(({ datasource }) => datasource ?? []);
      expect(used.length).toBeGreaterThan(4);
      for (const one of used) expect(one).toEqual({ type: 'prometheus', uid: '$' + '{datasource}' });
    }
  });

  it('have panels in the 24 columns of the grid that fill their lines and do not overlap', () => {
    for (const { uid, panels } of dashboards) {
      const cells = panels.flatMap(({ title, gridPos: { x, y, w, h } }) =>
        Array.from({ length: w * h }, (_, index) => ({
          title,
          cell: `${x + (index % w)} ${y + Math.floor(index / w)}`,
        })),
      );
      expect([uid, new Set(cells.map(({ cell }) => cell)).size]).toEqual([uid, cells.length]);
      expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24).map(({ title }) => title)).toEqual([]);
      const height = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h));
      expect([uid, cells.length]).toEqual([uid, 24 * height]);
    }
  });
});
