import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type FastifyInstance, fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routeConfigOf } from '../http/route-config.js';
import { serveConsole } from './serve-console.js';

const INDEX = '<!doctype html><title>Console</title>';
const SCRIPT = 'console.log(1);';
const OUTSIDE = 'a file beside the folder';
let temporary: string;
let directory: string;
let server: FastifyInstance;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'carillon-console-'));
  directory = join(temporary, 'console');
  await mkdir(join(directory, 'assets'), { recursive: true });
  await writeFile(join(temporary, 'outside.txt'), OUTSIDE);
  await writeFile(join(directory, 'index.html'), INDEX);
  await writeFile(join(directory, 'icon.svg'), '<svg/>');
  await writeFile(join(directory, 'assets/index-1a2b.js'), SCRIPT);
  await writeFile(join(directory, 'assets/index-1a2b.js.gz'), gzipSync(SCRIPT));
  await writeFile(join(directory, 'assets/index-1a2b.js.br'), 'brotli');
  server = serverOf(directory);
});
afterAll(async () => {
  await server?.close();
  await rm(temporary, { recursive: true, force: true });
});

function serverOf(from: string): FastifyInstance {
  const made = fastify();
  made.addHook('onRequest', (request, reply, done) => {
    reply.header('Content-Security-Policy', routeConfigOf(request).contentSecurityPolicy ?? 'none');
    done();
  });
  serveConsole(made, from);
  return made;
}

const get = (url: string, headers = {}) => server.inject({ url, headers });

describe('the files of the console', () => {
  it('answer every view with index.html, which browsers ask for again', async () => {
    for (const url of ['/console', '/console/', '/console/deliveries/x?y=z', '/console/a.b/c']) {
      const { statusCode, headers, body } = await get(url);
      expect([url, statusCode, body]).toEqual([url, 200, INDEX]);
      expect(headers['content-type']).toMatch(/^text\/html/);
      expect(headers['cache-control']).toBe('no-cache');
    }
    expect((await get('/console/icon.svg')).body).toBe('<svg/>');
  });

  it('allow scripts and connections of this origin only, and none in the page', async () => {
    const policy = String((await get('/console/')).headers['content-security-policy']);
    const sources = Object.fromEntries(policy.split('; ').map((each) => each.split(/ (.*)/s) as [string, string]));
    expect(sources).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self' 'unsafe-inline'",
      'img-src': "'self' data:",
      'font-src': "'self'",
      'connect-src': "'self'",
      'frame-src': "'self'",
      'form-action': "'self'",
      'base-uri': "'none'",
      'frame-ancestors': "'none'",
    });
  });

  it('are kept for ever when their names have a hash, and compressed as built', async () => {
    const plain = await get('/console/assets/index-1a2b.js');
    expect([plain.statusCode, plain.body]).toEqual([200, SCRIPT]);
    expect(plain.headers).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': expect.stringMatching(/javascript/),
      vary: 'Accept-Encoding',
    });
    const gzip = await get('/console/assets/index-1a2b.js', { 'accept-encoding': 'gzip' });
    expect([gzip.headers['content-encoding'], gzip.rawPayload]).toEqual(['gzip', gzipSync(SCRIPT)]);
    const brotli = await get('/console/assets/index-1a2b.js', { 'accept-encoding': 'gzip, br' });
    expect([brotli.headers['content-encoding'], brotli.body]).toEqual(['br', 'brotli']);
  });

  it('do not answer for a missing asset, nor with a file outside of the folder', async () => {
    expect((await get('/console/assets/index-old.js')).statusCode).toBe(404);
    for (const url of [
      '/console/..%2foutside.txt',
      '/console/%2e%2e/outside.txt',
      '/console/..%5coutside.txt',
      '/console/assets/..%2f..%2foutside.txt',
    ])
      expect([url, (await get(url)).body.includes(OUTSIDE)]).toEqual([url, false]);
  });

  it('say how to build them when they are missing', async () => {
    const empty = serverOf(join(directory, 'nothing'));
    const { statusCode, body } = await empty.inject('/console/');
    expect([statusCode, JSON.parse(body).code]).toEqual([404, 'not_found']);
    expect(body).toContain('npm run build');
    await empty.close();
  });
});
