// deployments/compose.yaml against the schema of the compose specification, our settings and our files.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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
}

const compose = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
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
    expect(inProfile('observability')).toEqual(['otel-collector', 'prometheus', 'tempo', 'loki', 'grafana']);
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
    const written = services.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([key]) => [...secretSettings, 'POSTGRES_PASSWORD'].some((secret) => secret === key))
        .filter(
          ([, value]) => !/\$\{\w+(:\?[^}]+)?\}/.test(String(value)) && !/^rediss?:\/\/[^@]+$/.test(String(value)),
        )
        .map(([key]) => `${name} ${key}`),
    );
    expect(written).toEqual([]);
  });
});
