// The Helm chart: lint, rendered with several values files, against the schemas of Kubernetes and our own rules.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig, secretSettings, settingsSchema } from '#config';
import { type DeploymentTools, installDeploymentTools, KUBERNETES_VERSIONS } from '../../services/deployment-tools.ts';
import type { Json } from '../test-environment.js';

const ROOT = join(import.meta.dirname, '../..');
const CHART = join(ROOT, 'deployments/kubernetes/carillon');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const OTLP_HEADERS = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'];
const valuesFiles = readdirSync(join(CHART, 'ci'));
const folder = mkdtempSync(join(tmpdir(), 'carillon-chart-'));
let tools: DeploymentTools;

beforeAll(async () => {
  tools = await installDeploymentTools(join(ROOT, '.services'));
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function helm(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(tools.helm, parameters, { encoding: 'utf8' });
}

function template(values: string, ...parameters: string[]): ReturnType<typeof helm> {
  const version = parameters.includes('--kube-version') ? [] : ['--kube-version', KUBERNETES_VERSIONS[1]];
  return helm('template', 'carillon', CHART, '--values', values, ...version, ...parameters);
}

/** The resources of a values file of `ci`, by kind and name. */
function render(name: string, ...parameters: string[]): Record<string, Json> {
  const { status, stdout, stderr } = template(join(CHART, 'ci', name), ...parameters);
  if (status !== 0) throw new Error(stderr);
  const resources = parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Json) ?? []);
  return Object.fromEntries(resources.map((each) => [`${each.kind} ${each.metadata.name}`, each]));
}

/** The error of Helm for values that the chart refuses. */
function refusal(values: string): string {
  const file = join(folder, 'values.yaml');
  writeFileSync(file, values);
  const { status, stderr } = template(file);
  expect([values, status]).toEqual([values, 1]);
  return stderr;
}

const podOf = (resource: Json): Json => resource.spec.template.spec;
const pods = (resources: Record<string, Json>): Json[] =>
  Object.values(resources)
    .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
    .map(podOf);
const environmentOf = (pod: Json): Json[] => pod.containers[0].env;

function conform(yaml: string, version: string): { status: number | null; stdout: string } {
  const schemas = [
    join(tools.schemas, version, '{{.ResourceKind}}{{.KindSuffix}}.json'),
    join(tools.schemas, 'crds/{{.ResourceKind}}-{{.ResourceAPIVersion}}.json'),
  ];
  const locations = schemas.flatMap((path) => ['-schema-location', path]);
  return spawnSync(tools.kubeconform, ['-strict', '-summary', ...locations], { input: yaml, encoding: 'utf8' });
}

describe.each(valuesFiles)('the chart with %s', { timeout: 120_000 }, (name) => {
  const file = join(CHART, 'ci', name);

  it('passes helm lint', () => {
    const lint = ['lint', '--strict', '--kube-version', KUBERNETES_VERSIONS[0], '--values', file, CHART];
    const { status, stdout } = helm(...lint);
    expect([status, stdout]).toEqual([0, expect.stringContaining('0 chart(s) failed')]);
  });

  it.each(KUBERNETES_VERSIONS)('passes kubeconform -strict for Kubernetes %s', (version) => {
    const { stdout: yaml, stderr } = template(file, '--kube-version', version);
    expect(stderr).toBe('');
    const { status, stdout } = conform(yaml, version);
    expect([status, stdout]).toEqual([0, expect.stringMatching(/Valid: \d+, Invalid: 0, Errors: 0, Skipped: 0/)]);
    const [, count] = /Valid: (\d+)/.exec(stdout)!;
    expect(Number(count)).toBe(Object.keys(render(name)).length);
    // A field that does not exist is an error.
    expect(conform(yaml.replace('terminationGracePeriodSeconds', 'terminationGracePeriod'), version).status).toBe(1);
  });

  it('has pods that the restricted Pod Security Standard admits', () => {
    for (const pod of pods(render(name))) {
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(pod.automountServiceAccountToken).toBe(false);
      for (const { securityContext, resources } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(resources.limits.memory).toBeTruthy();
      }
      expect(pod.volumes.filter((volume: Json) => volume.hostPath)).toEqual([]);
    }
  });

  it('gives the pods settings that exist, and secrets only by reference', () => {
    for (const pod of pods(render(name))) {
      const names: string[] = environmentOf(pod).map((each: Json) => each.name);
      expect(names.filter((each) => !(each in settingsSchema.shape) && !each.startsWith('OTEL_'))).toEqual([]);
      expect(new Set(names).size).toBe(names.length);
      const byValue = environmentOf(pod).filter(({ value }: Json) => value !== undefined);
      expect(byValue.filter((each: Json) => (secretSettings as string[]).includes(each.name))).toEqual([]);
    }
    const resources = render(name);
    expect(Object.values(resources).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    for (const role of ['api', 'worker'])
      expect(
        environmentOf(podOf(resources[`Deployment carillon-${role}`]))
          .filter(({ valueFrom }: Json) => valueFrom)
          .map((each: Json) => each.name)
          .sort(),
      ).toEqual([...secretSettings, ...OTLP_HEADERS].sort());
  });

  it('runs files that the build produces', () => {
    for (const pod of pods(render(name))) {
      const file = (pod.containers[0].command as string[]).at(-1)!;
      expect(existsSync(join(ROOT, file.replace('dist/', '').replace(/\.js$/, '.ts')))).toBe(true);
    }
  });
});

describe('the chart', { timeout: 120_000 }, () => {
  it('has the version of the product, and the settings of libs/config', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version });
    const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Json;
    // The chart sets addresses and ports; the others belong to the embedded profile. Every OTEL_ variable is allowed.
    const own =
      /^(OTEL_\w+|HOST|PORT|INTERNAL_\w+|METRICS_\w+|CARILLON_HOME|NODE_ENV|DEMO_PAGES_ENABLED|SANDBOX_FALLBACK)$/;
    const wanted = Object.keys(settingsSchema.shape).filter(
      (name) => !own.test(name) && !(secretSettings as string[]).includes(name),
    );
    expect(Object.keys(schema.definitions.config.properties).sort()).toEqual(wanted.sort());
  });

  it('refuses wrong values with a message that names them', () => {
    const good = 'existingSecret: carillon\n';
    expect(refusal('{}')).toContain('existingSecret: name the Secret that holds DATABASE_URL, MASTER_KEY');
    expect(refusal(`${good}config: { PUBLIC_URI: x }`)).toMatch(/config.*PUBLIC_URI/s);
    expect(refusal(`${good}config: { MASTER_KEY: x }`)).toMatch(/config.*MASTER_KEY/s);
    for (const each of OTLP_HEADERS) expect(refusal(`${good}config: { ${each}: x }`)).toContain(each);
    expect(refusal(`${good}config: { RETENTION_DAYS: 30 }`)).toMatch(/RETENTION_DAYS.*string/s);
    expect(refusal(`${good}api: { replica: 3 }`)).toMatch(/api.*replica/s);
    expect(refusal(`${good}image: { digest: latest }`)).toMatch(/image.digest/);
    expect(refusal(`${good}ingress: { enabled: true }`)).toContain('ingress.host: is needed with ingress.enabled');
  });

  it.each([
    ['30', 20],
    ['60', 30],
    ['2', 11],
  ])('waits for a worker with a lease of %s s as long as its stop takes: %s s', (lease, seconds) => {
    const worker = podOf(
      render('minimal-values.yaml', '--set-string', `config.LEASE_SECONDS=${lease}`)['Deployment carillon-worker'],
    );
    // A third of the lease for requests to vendors, 5 s for records: docs/architecture.md#operation.
    expect(worker.terminationGracePeriodSeconds).toBe(seconds);
    expect(seconds).toBeGreaterThan(Number(lease) / 3 + 5);
  });

  it('probes both roles on their metrics port, and waits 5 s before it stops an API', () => {
    const resources = render('minimal-values.yaml');
    for (const [role, port] of [
      ['api', 9090],
      ['worker', 9091],
    ] as const) {
      const [container] = podOf(resources[`Deployment carillon-${role}`]).containers;
      expect(container.ports).toContainEqual({ name: 'metrics', containerPort: port });
      expect(container.livenessProbe.httpGet).toEqual({ path: '/livez', port: 'metrics' });
      expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'metrics' });
      expect(environmentOf({ containers: [container] })).toContainEqual({ name: 'METRICS_PORT', value: String(port) });
    }
    const api = podOf(resources['Deployment carillon-api']);
    expect(api.containers[0].lifecycle.preStop.exec.command).toEqual(['sleep', '5']);
    expect(api.terminationGracePeriodSeconds).toBe(30);
  });

  it('keeps /internal off the public Service and the Ingress; opens allowed ports, not metadata addresses', () => {
    const resources = render('everything-values.yaml');
    const targets = (name: string): string[] => resources[name].spec.ports.map((port: Json) => port.targetPort);
    expect(targets('Service carillon')).toEqual(['http']);
    expect(targets('Service carillon-internal')).toEqual(['internal']);
    expect(resources['Service carillon-internal'].spec.type).toBe('ClusterIP');
    expect(resources['Ingress carillon'].spec.rules[0].http.paths[0].backend.service.name).toBe('carillon');
    const open = (name: string): string[] =>
      render(name)['NetworkPolicy carillon-api'].spec.ingress.flatMap(({ ports }: Json) => ports[0].port);
    expect(open('minimal-values.yaml')).toEqual(['http']);
    expect(open('everything-values.yaml')).toEqual(['http', 'internal', 'metrics']);
    const { ingress, egress } = render('minimal-values.yaml')['NetworkPolicy carillon-worker'].spec;
    expect(ingress).toEqual([]);
    expect(JSON.stringify(egress)).toMatch(/169\.254.*100\.100\.100\.200.*192\.0\.0\.192.*168\.63.*fd00:ec2::254/);
  });

  it('migrates before the pods change, with the database URLs and no other setting', () => {
    const job = render('everything-values.yaml')['Job carillon-migration'];
    expect(job.metadata.annotations['helm.sh/hook']).toBe('pre-install,pre-upgrade');
    const names = environmentOf(podOf(job)).map((each: Json) => each.name);
    expect(names).toEqual(['DATABASE_URL', 'TENANT_DATABASE_URL', 'PLATFORM_DATABASE_URL']);
    expect(render('bare-values.yaml')['Job carillon-migration']).toBeUndefined();
  });

  it('mounts the Secret with the certificates where their settings expect them, not into the migration', () => {
    const resources = render('tls-values.yaml');
    for (const role of ['api', 'worker']) {
      const pod = podOf(resources[`Deployment carillon-${role}`]);
      const { name, mountPath } = pod.containers[0].volumeMounts.find(({ readOnly }: Json) => readOnly);
      expect(pod.volumes).toContainEqual({ name, secret: { secretName: 'carillon-certificates', defaultMode: 0o440 } });
      const files = environmentOf(pod).filter((each: Json) => each.name.endsWith('_FILE'));
      expect(files.map(({ value }: Json) => dirname(value))).toEqual(Array.from({ length: 4 }, () => mountPath));
    }
    expect(JSON.stringify(resources['Job carillon-migration'])).not.toContain('certificates');
    expect(JSON.stringify(render('minimal-values.yaml'))).not.toContain('certificates');
  });

  it('scales the API on processor time and workers on the age of the queue, a metric that exists', () => {
    const resources = render('everything-values.yaml');
    const [cpu] = resources['HorizontalPodAutoscaler carillon-api'].spec.metrics;
    expect(cpu.resource.name).toBe('cpu');
    const [{ external }] = resources['HorizontalPodAutoscaler carillon-worker'].spec.metrics;
    expect(read('libs/telemetry/src/gauge-list.ts')).toContain(`'${external.metric.name}'`);
    expect(external.target).toEqual({ type: 'Value', value: '15' });
    for (const role of ['api', 'worker'])
      expect(resources[`Deployment carillon-${role}`].spec.replicas).toBeUndefined();
  });

  it('makes a PrometheusRule of our alert rules, which kubeconform accepts', () => {
    const rules = ['--set-file', `prometheusRule.rules=${join(ROOT, 'deployments/prometheus/alerts.yaml')}`];
    const rule = render('minimal-values.yaml', ...rules)['PrometheusRule carillon'];
    expect(rule.spec).toEqual(parse(read('deployments/prometheus/alerts.yaml')));
    const { stdout: yaml } = template(join(CHART, 'ci/minimal-values.yaml'), ...rules);
    expect(conform(yaml, KUBERNETES_VERSIONS[1]).stdout).toContain('Invalid: 0, Errors: 0, Skipped: 0');
  });

  it('sets settings that the product accepts', () => {
    const resources = render('everything-values.yaml');
    for (const role of ['api', 'worker']) {
      const pairs = environmentOf(podOf(resources[`Deployment carillon-${role}`])).flatMap(({ name, value }: Json) =>
        value === undefined ? [] : [[name, value]],
      );
      const secrets = {
        DATABASE_URL: 'postgresql://carillon:secret@postgres/carillon',
        MASTER_KEY: '8f'.repeat(32),
        ADMIN_TOKEN: 'a-token',
        NODE_ENV: 'test',
      };
      expect(loadConfig({ ...Object.fromEntries(pairs), ...secrets }).leaseSeconds).toBe(60);
    }
  });
});
