// The lines of TypeScript in the README, run as they stand.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../../libs/testing/src/index.js';
import { startTestEnvironment, type Tenant, type TestEnvironment } from '../../../test/test-environment.js';

const PACKAGE = join(import.meta.dirname, '..');
const [application, asynchronous, ...others] = [
  ...readFileSync(join(PACKAGE, 'README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs),
].map(([, code]) => code!);

let carillon: TestEnvironment;
let tenant: Tenant;
let child: ChildProcess | undefined;

beforeAll(async () => {
  carillon = await startTestEnvironment();
  tenant = await carillon.tenant();
  const template = { key: 'welcome', channel: 'email', content: { subject: 'Hello {{name}}', text: 'Hello' } };
  await tenant.call('POST', '/api/v1/templates', template);
  await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'rejected@simulator.test' });
});
afterAll(async () => {
  child?.kill();
  await carillon?.stop();
});

/** Node removes types, but does not know decorators. `platform` is the adapter that an application would install. */
function compiled(code: string): string {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  return `import 'reflect-metadata';\n${outputText}`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function start(code: string, environment: Record<string, string>): () => string {
  let output = '';
  child = spawn(process.execPath, ['--input-type=module', '--eval', compiled(code)], {
    // In the folder of the package, so that its own name leads to the built package.
    cwd: PACKAGE,
    env: { ...process.env, ...environment },
  });
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return () => output;
}

it('starts an application that sends, and gets the event of its send', async () => {
  expect(others).toEqual([]);
  const port = await freePort();
  const { body: webhook } = await tenant.call('POST', '/api/v1/webhooks', {
    url: `http://127.0.0.1:${port}/carillon/webhooks`,
    events: ['delivery.failed'],
  });
  const output = start(
    application!
      // Nest would look for its adapter for Express, which the repository has under another name.
      .replace("from '@nestjs/core';", "from '@nestjs/core';\nimport { ExpressAdapter } from 'nest-platform-express';")
      .replace('create(AppModule, {', 'create(AppModule, new ExpressAdapter(), {'),
    { CARILLON_URL: carillon.url, CARILLON_KEY: tenant.apiKey, WEBHOOK_SECRET: webhook.secret, PORT: String(port) },
  );
  await until(
    'the handler has the event',
    () => {
      if (child!.exitCode !== null) throw new Error(`it ended with ${child!.exitCode}: ${output()}`);
      return /^ann rejected$/m.test(output());
    },
    30_000,
  );
  expect(output()).toMatch(/^sent [0-9a-f-]{36}$/m);
}, 60_000);

it('configures the module asynchronously', async () => {
  start(asynchronous!, {});
  expect(await new Promise((resolve) => child!.once('exit', resolve))).toBe(0);
});
