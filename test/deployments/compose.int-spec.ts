// deployments/compose.yaml against the schema of the compose specification, our settings and our files.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { secretSettings, settingsSchema } from '#config';
import { installDeploymentTools } from '../../services/deployment-tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'deployments');
const text = readFileSync(join(FOLDER, 'compose.yaml'), 'utf8');

interface Service {
  image: string;
  profiles?: string[];
  build?: { context: string; dockerfile: string };
  command?: string[];
  environment?: Record<string, string | number>;
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  deploy?: { replicas: number };
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  user?: string;
  cap_add?: string[];
  networks?: string[];
}

const compose = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
  networks: Record<string, { internal?: boolean }>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.startsWith('carillon:'));
const inProfile = (profile: string): string[] =>
  services.filter(([, { profiles }]) => profiles?.includes(profile)).map(([name]) => name);

/** Replaces variables as compose does. An unset one that the file requires is an error. */
function interpolate(given: Record<string, string>): string {
  return text.replace(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_all, name: string, operator: string, word: string) => {
    if (given[name]) return given[name];
    if (operator === '?') throw new Error(`${name}: ${word}`);
    return operator === '-' ? word : '';
  });
}

/** The secrets that a service does not take from a variable. */
function secretsWrittenIn({ environment = {} }: Service): string[] {
  return Object.entries(environment)
    .filter(([key]) => [...secretSettings, 'POSTGRES_PASSWORD'].some((secret) => secret === key))
    .filter(([, value]) => !/\$\{\w+(:\?[^}]+)?\}/.test(String(value)) && !/^rediss?:\/\/[^@]+$/.test(String(value)))
    .map(([key]) => key);
}

describe('the compose file', { timeout: 600_000 }, () => {
  it('is valid by the compose specification', async () => {
    const { composeSchema } = await installDeploymentTools(join(ROOT, '.services'));
    const ajv = new Ajv2020({ strict: false, allErrors: true, logger: false });
    const validate = ajv.compile(JSON.parse(readFileSync(composeSchema, 'utf8')) as object);
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
    expect(validate({ services: { api: { image: 'carillon', port: ['8080:8080'] } } })).toBe(false);
  });

  it('has the three profiles, and every service belongs to one', () => {
    expect(inProfile('minimal')).toEqual(['postgres', 'migrate', 'api', 'worker']);
    expect(inProfile('scale')).toEqual(['postgres', 'migrate', 'api-scale', 'worker-scale', 'redis', 'kafka']);
    expect(inProfile('observability')).toEqual([
      'otel-collector',
      'log-collector',
      'prometheus',
      'tempo',
      'loki',
      'grafana',
    ]);
    expect(services.filter(([, { profiles }]) => !profiles).map(([name]) => name)).toEqual([]);
    for (const name of ['api-scale', 'worker-scale']) expect(compose.services[name]!.deploy).toEqual({ replicas: 2 });
    for (const profile of ['minimal', 'scale', 'observability'])
      for (const name of inProfile(profile))
        for (const needed of Object.keys(compose.services[name]!.depends_on ?? {}))
          expect([name, compose.services[needed]!.profiles]).toEqual([name, expect.arrayContaining([profile])]);
  });

  it('gives our processes settings that exist, and OTEL variables', () => {
    expect(ours.map(([name]) => name)).toEqual(['migrate', 'api', 'worker', 'api-scale', 'worker-scale']);
    const known = (name: string): boolean => name in settingsSchema.shape || name.startsWith('OTEL_');
    for (const [, { environment = {} }] of ours)
      expect(Object.keys(environment).filter((name) => !known(name))).toEqual([]);
    expect(Object.keys(compose.services['api-scale']!.environment!)).toEqual(
      expect.arrayContaining(['REDIS_URL', 'KAFKA_BROKERS', ...Object.keys(compose.services['api']!.environment!)]),
    );
  });

  it('runs files that the build produces, from the Dockerfile, without rights that they do not need', () => {
    for (const [name, service] of ours) {
      const file = service.command?.find((word) => word.startsWith('dist/'));
      if (file) expect(existsSync(join(ROOT, file.replace('dist/', '').replace(/\.js$/, '.ts')))).toBe(true);
      expect(existsSync(join(FOLDER, service.build!.context, service.build!.dockerfile))).toBe(true);
      expect([name, service.read_only, service.cap_drop, service.security_opt]).toEqual([
        name,
        true,
        ['ALL'],
        ['no-new-privileges:true'],
      ]);
    }
  });

  it('has one container that runs as root: it reads the logs of Docker, receives nothing and reaches only Loki', () => {
    expect(services.filter(([, { user }]) => user?.startsWith('0')).map(([name]) => name)).toEqual(['log-collector']);
    const mounted = services.filter(([, { volumes }]) => volumes?.some((mount) => mount.startsWith('/')));
    expect(mounted.map(([name]) => name)).toEqual(['log-collector']);
    expect(services.flatMap(([, { cap_add = [] }]) => cap_add)).toEqual([]);
    for (const name of ['otel-collector', 'log-collector'])
      expect(compose.services[name]).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
    expect(compose.networks).toEqual({ logs: { internal: true } });
    const inLogs = services.filter(([, { networks }]) => Array.isArray(networks) && networks.includes('logs'));
    expect(inLogs.map(([name, { networks }]) => [name, networks])).toEqual([
      ['log-collector', ['logs']],
      ['loki', ['default', 'logs']],
    ]);
    const { receivers } = parse(readFileSync(join(FOLDER, 'otel/logs.yaml'), 'utf8')) as { receivers: object };
    expect(Object.keys(receivers)).toEqual(['filelog']);
  });

  it('keeps /internal from a proxy in front of the API', () => {
    expect(compose.services['api']!.environment).toMatchObject({ INTERNAL_PORT: 8081 });
    expect(compose.services['api']!.ports).toEqual(['127.0.0.1:8080:8080', '127.0.0.1:8090:8081']);
    expect(compose.services['api-scale']!.environment).toMatchObject({ INTERNAL_PORT: 8081 });
    expect(compose.services['api-scale']!.ports).toEqual(['127.0.0.1:8080-8081:8080', '127.0.0.1:8090-8091:8081']);
  });

  it('pins every image to an exact version', () => {
    const loose = services.filter(([, { image }]) => !/:v?\d+\.\d+(\.\d+)?$/.test(image));
    expect(loose.map(([, { image }]) => image)).toEqual([]);
  });

  it('publishes ports on loopback only', () => {
    const ports = services.flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(4);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('mounts files that exist, read-only, and volumes that it declares', () => {
    const mounts = services.flatMap(([, service]) => service.volumes ?? []);
    const files = mounts.filter((mount) => mount.startsWith('.'));
    expect(files.length).toBeGreaterThan(5);
    for (const mount of files) {
      const [path, , mode] = mount.split(':');
      expect([mount, existsSync(join(FOLDER, path!)), mode]).toEqual([mount, true, 'ro']);
    }
    const named = mounts.filter((mount) => /^\w/.test(mount)).map((mount) => mount.split(':')[0]!);
    expect([...new Set(named)].sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(mounts.filter((mount) => mount.startsWith('/') && !mount.endsWith(':ro'))).toEqual([]);
  });

  it('requires every secret and has a default for none', () => {
    const secrets = { POSTGRES_PASSWORD: 'a-password', MASTER_KEY: 'a-key', ADMIN_TOKEN: 'a-token' };
    for (const missing of Object.keys(secrets))
      expect(() => interpolate({ ...secrets, [missing]: '' })).toThrow(`${missing}: set it to the output of openssl`);
    const filled = parse(interpolate(secrets), { merge: true }) as typeof compose;
    expect(filled.services['api']!.environment).toMatchObject({
      DATABASE_URL: 'postgresql://carillon:a-password@postgres:5432/carillon',
      MASTER_KEY: 'a-key',
      ADMIN_TOKEN: 'a-token',
    });
    // No setting that holds a secret has a value in the file, and neither has the database's password.
    expect(services.flatMap(([name, service]) => secretsWrittenIn(service).map((key) => [name, key]))).toEqual([]);
  });

  it('takes the override of docs/deployment.md for TLS: services of this file, settings that exist, no secrets', () => {
    const docs = readFileSync(join(ROOT, 'docs/deployment.md'), 'utf8');
    const override = parse(/```yaml\n(# deployments\/compose\.tls\.yaml\n.*?)```/s.exec(docs)![1]!, {
      merge: true,
    }) as typeof compose;
    expect(Object.keys(override.services)).toEqual(['api', 'worker']);
    for (const [name, service] of Object.entries(override.services)) {
      expect(inProfile('minimal')).toContain(name);
      const { KAFKA_TLS_CA_FILE, ...environment } = service.environment!;
      expect(Object.keys(environment).filter((key) => !(key in settingsSchema.shape))).toEqual([]);
      expect(secretsWrittenIn(service)).toEqual([]);
      expect(service.volumes).toEqual([`./certificates:${dirname(String(KAFKA_TLS_CA_FILE))}:ro`]);
    }
  });
});
