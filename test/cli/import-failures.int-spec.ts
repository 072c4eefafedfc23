// The batches of `carillon import recipients` against a server that fails.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { ApiClient } from '../../apps/carillon/src/command-line/api/api-client.js';
import { ImportReport } from '../../apps/carillon/src/command-line/import/import-report.js';
import { RecipientBatches } from '../../apps/carillon/src/command-line/import/recipient-batches.js';
import { PROFILE, SeenRecipients } from '../../apps/carillon/src/command-line/import/seen-recipients.js';
import type { Json } from '../test-environment.js';

/** Gets the ids of a batch; answers it, or returns a status. 200 accepts all. */
type Answer = (ids: string[], request: number, response: ServerResponse) => number | Promise<number>;

let server: Server | undefined;
let requests: number;
let current: RecipientBatches;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function startServer(answer: Answer): Promise<string> {
  requests = 0;
  server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    requests += 1;
    const ids = ((await json(request)) as Json).recipients.map(({ id }: Json) => id);
    const status = await answer(ids, requests, response);
    if (response.destroyed) return;
    const accepted = ids.map((_: string, index: number) => ({ index, result: 'created' }));
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? { accepted, rejected: [] } : { title: `Status ${status}`, status }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends the recipients u1, u2, … of the lines 1, 2, … The first one is a batch of its own, and is answered first. */
async function send(
  rows: number,
  answer: Answer,
  more: { maxOutageMs?: number; refused?: string } = {},
): Promise<{ batches: RecipientBatches; result: Json }> {
  const report = new ImportReport(more.refused);
  const client = new ApiClient(await startServer(answer), {}, more.maxOutageMs);
  const batches = new RecipientBatches(client, report, new SeenRecipients(), '/bulk');
  current = batches;
  for (let line = 1; line <= rows; line += 1) {
    const recipient = { id: `u${line}`, profile: {}, choices: null, devices: [], notImported: [] };
    await batches.add({ line, recipient, parts: PROFILE, isLater: false });
    if (line === 1) await batches.end();
  }
  await batches.end();
  return { batches, result: report.value(false) };
}

describe('a row that the server cannot store', () => {
  it('is refused by itself', async () => {
    const { batches, result } = await send(450, (ids) => (ids.includes('u77') ? 500 : 200));
    expect(batches.failure).toBeNull();
    expect(result).toMatchObject({
      created: 449,
      refused_rows: [{ line: 77, id: 'u77', reason: expect.stringContaining('Status 500') }],
    });
  });

  it('stops the import if there are only such rows', async () => {
    const { batches, result } = await send(1_000, () => 500);
    expect(batches.failure).toMatchObject({ error: { details: { status: 500 } } });
    expect(result.refused).toBe(20);
    expect(requests).toBeLessThan(100);
  });
});

describe('a server that is temporarily unavailable', { timeout: 30_000 }, () => {
  it('does not stop the import', async () => {
    const failures: Record<number, number> = { 2: 0, 3: 502, 4: 503, 5: 504, 6: 0 };
    const { batches, result } = await send(1_000, (_ids, request, response) => {
      if (failures[request] === 0) response.destroy();
      return failures[request] ?? 200;
    });
    expect(batches.failure).toBeNull();
    expect(result).toMatchObject({ created: 1_000, refused: 0 });
  });

  it('stops it if it stays unavailable', async () => {
    const { batches } = await send(1_000, (_ids, request) => (request === 1 ? 200 : 502), { maxOutageMs: 500 });
    expect(batches.failure).toMatchObject({ error: { details: { status: 502 } } });
  });

  it('stops it at the first request if no request has succeeded yet', async () => {
    const { batches } = await send(1, () => 502);
    expect([batches.failure, requests]).toMatchObject([{ line: 1 }, 1]);
  });
});

it('a rate limit that other batches use up does not stop the import', { timeout: 30_000 }, async () => {
  let refused = 0;
  const { batches, result } = await send(200, (_ids, _request, response) => {
    response.setHeader('Retry-After', '0');
    refused += 1;
    return refused <= 20 ? 429 : 200;
  });
  expect(batches.failure).toBeNull();
  expect(result).toMatchObject({ created: 200 });
});

describe('the line at which an import stopped', () => {
  it('is the first one that was not written, also if a later batch failed earlier', async () => {
    const { batches } = await send(401, async (ids) => {
      if (ids.includes('u1')) return 200;
      if (ids.includes('u2')) await until('the later batch has failed', () => current.failure);
      return 403;
    });
    expect(batches.failure).toMatchObject({ line: 2, error: { details: { status: 403 } } });
  });

  it('is that of the half of a batch that was not sent after another batch failed', async () => {
    let isHalved = false;
    const { batches } = await send(401, async (ids) => {
      if (ids.includes('u1')) return 200;
      if (ids.includes('u202')) {
        await until('the other batch is halved', () => isHalved);
        return 403;
      }
      if (ids.length === 200) return 413;
      isHalved = true;
      await until('the later batch has failed', () => current.failure);
      return 200;
    });
    expect(batches.failure?.line).toBe(102);
  });
});

it('a file of refused rows that cannot be written stops the import with a message', async () => {
  const { batches } = await send(401, (ids) => (ids.includes('u77') ? 422 : 200), { refused: '/dev/full' });
  const message = expect.stringMatching(/^The file of --refused cannot be written: ENOSPC/);
  expect(batches.failure).toMatchObject({ line: 2, error: { message, exitCode: 1 } });
});
