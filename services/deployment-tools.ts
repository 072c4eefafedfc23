// Helm, kubeconform and the schemas that the tests check deployments/ with: from the Go proxy and PyPI, once, into .services.
//
//   node services/deployment-tools.ts        installs them; needs go and python3 with venv; 1 to 4 minutes

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { onPath, run } from './programs.ts';

const HELM = 'helm.sh/helm/v3/cmd/helm@v3.22.0';
const KUBECONFORM = 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0';
const COMPOSE = 'github.com/compose-spec/compose-go/v2@v2.16.2';
const PROMETHEUS_OPERATOR = 'github.com/prometheus-operator/prometheus-operator@v0.85.0';
/** Has the JSON schemas of several Kubernetes versions. */
const KUBERNETES_SCHEMAS = 'kubernetes-validate==1.37.0';
/** The oldest and the newest Kubernetes that the chart supports. */
export const KUBERNETES_VERSIONS = ['1.29.0', '1.37.0'] as const;

export interface DeploymentTools {
  helm: string;
  kubeconform: string;
  /** The JSON schema of compose files. */
  composeSchema: string;
  /** The folder with a folder of schemas for each Kubernetes version and one for `crds`. */
  schemas: string;
}

/** The reason why they cannot be installed on this machine, or null if they can. */
export function deploymentToolsMissing(services: string): string | null {
  if (existsSync(folderOf(services))) return null;
  if (!onPath('go')) return 'no go on the PATH (1.26 or newer)';
  if (!onPath('python3')) return 'no python3 on the PATH (Debian: apt-get install python3-venv)';
  return null;
}

/** Installs what is not in `services` yet. A change of a version above installs everything again. */
export async function installDeploymentTools(services: string): Promise<DeploymentTools> {
  const folder = folderOf(services);
  if (!existsSync(folder)) {
    const missing = deploymentToolsMissing(services);
    if (missing) throw new Error(missing);
    const fresh = `${folder}.${process.pid}`;
    try {
      mkdirSync(join(fresh, 'schemas/crds'), { recursive: true });
      await Promise.all([installPrograms(join(fresh, 'bin')), writeKubernetesSchemas(fresh), writeGoSchemas(fresh)]);
      renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  return {
    helm: join(folder, 'bin/helm'),
    kubeconform: join(folder, 'bin/kubeconform'),
    composeSchema: join(folder, 'schemas/compose-spec.json'),
    schemas: join(folder, 'schemas'),
  };
}

/** Its name contains the versions, so that a new version is a new folder. */
function folderOf(services: string): string {
  const versions = [HELM, KUBECONFORM, COMPOSE, PROMETHEUS_OPERATOR, KUBERNETES_SCHEMAS, ...KUBERNETES_VERSIONS];
  return join(services, `deployments-${versions.map((text) => text.replace(/^.*(@|==)v?/, '')).join('-')}`);
}

async function installPrograms(bin: string): Promise<void> {
  for (const program of [KUBECONFORM, HELM])
    await run('go', ['install', '-ldflags=-s -w', program], { env: { ...process.env, GOBIN: bin } });
}

/** kubeconform takes files whose references are relative; those of the package name a server. */
async function writeKubernetesSchemas(folder: string): Promise<void> {
  const python = join(folder, 'python');
  await run('python3', ['-m', 'venv', python]);
  await run(join(python, 'bin/pip'), [
    'install',
    '--quiet',
    '--no-deps',
    '--target',
    join(folder, 'pip'),
    KUBERNETES_SCHEMAS,
  ]);
  for (const version of KUBERNETES_VERSIONS) {
    const from = join(folder, `pip/kubernetes_validate/kubernetes-json-schema/v${version}-local-strict`);
    const to = join(folder, 'schemas', version);
    mkdirSync(to);
    for (const name of readdirSync(from)) {
      const { $id: _address, ...schema } = JSON.parse(readFileSync(join(from, name), 'utf8')) as { $id?: string };
      writeFileSync(join(to, name), JSON.stringify(schema).replaceAll('/api/_definitions.json', '_definitions.json'));
    }
  }
  for (const name of ['python', 'pip']) rmSync(join(folder, name), { recursive: true });
}

interface CustomResource {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: object } }[];
  };
}

/** Schemas that Go modules contain: of compose files, and of the resources of Prometheus Operator. */
async function writeGoSchemas(folder: string): Promise<void> {
  const compose = await moduleFolder(folder, COMPOSE);
  writeFileSync(
    join(folder, 'schemas/compose-spec.json'),
    readFileSync(join(compose, 'schema/compose-spec.json'), 'utf8'),
  );
  const operator = await moduleFolder(folder, PROMETHEUS_OPERATOR);
  for (const name of ['servicemonitors', 'podmonitors', 'prometheusrules']) {
    const file = join(operator, `example/prometheus-operator-crd/monitoring.coreos.com_${name}.yaml`);
    const { spec } = parse(readFileSync(file, 'utf8')) as CustomResource;
    for (const version of spec.versions)
      writeFileSync(
        join(folder, `schemas/crds/${spec.names.kind.toLowerCase()}-${version.name}.json`),
        JSON.stringify(strict(version.schema.openAPIV3Schema)),
      );
  }
}

async function moduleFolder(folder: string, module: string): Promise<string> {
  const output = await run('go', ['mod', 'download', '-json', module], { cwd: folder });
  return (JSON.parse(output.slice(output.indexOf('{'))) as { Dir: string }).Dir;
}

/** The same schema, which refuses properties that it does not name. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (schema === null || typeof schema !== 'object') return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  const closed = 'properties' in schema && !('additionalProperties' in schema);
  return closed && !('x-kubernetes-preserve-unknown-fields' in schema) && 'type' in schema
    ? { ...copy, additionalProperties: false }
    : copy;
}

if (import.meta.main) {
  const tools = await installDeploymentTools(join(import.meta.dirname, '../.services'));
  console.log(await run(tools.helm, ['version', '--short']));
}
