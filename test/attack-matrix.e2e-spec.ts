// Every route of the OpenAPI document, and the WebSocket, with every credential that a caller may have. The expected
// answer follows from the access rule of the route. A new route is in the matrix by itself; it needs an example in
// test/access/examples.ts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { ask, askForSocket, type Received } from './access/ask.js';
import { type Column, type Credential, type Expected, makeColumns, type Owner } from './access/credentials.js';
import { type Examples, exampleOf, missingLike } from './access/examples.js';
import { type Route, routesOf } from './access/openapi-routes.js';
import { http, startTestEnvironment, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let owners: Owner[];
let columns: Column[];
let routes: Route[];
const cases = new Set<string>();
let failures = 0;

beforeAll(async () => {
  app = await startTestEnvironment();
  ({ owners, columns } = await makeColumns(app));
  routes = routesOf((await app.call('GET', '/openapi.json')).body);
  const expired = columns.find(({ name }) => name === 'an expired key')!;
  await until('the key has expired', async () => {
    const { apiKey } = await expired.credential(routes[0]!);
    return (await http(app.url, 'GET', '/api/v1/notifications', { headers: { 'X-API-Key': apiKey! } })).status === 401;
  });
});
afterAll(() => app?.stop());

async function send(route: Route, credential: Credential, examples: Examples): Promise<Received> {
  const { path, body } = exampleOf(route, examples);
  const { apiKey, token, adminToken } = credential;
  const headers: Record<string, string> = {
    ...(apiKey && { 'X-API-Key': apiKey }),
    ...(apiKey && route.access === 'recipient' && { 'X-Recipient-ID': examples.recipient }),
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(adminToken && { 'X-Admin-Token': adminToken }),
  };
  const attack = { base: app.url, method: route.method, path, headers, body };
  return route.tokenIn ? await askForSocket(attack, token, route.tokenIn) : await ask(attack);
}

/** The answer without its request id, the ids that were asked for, new ids and times, which differ between requests. */
function comparable({ status, contentType, text }: Received, asked: readonly string[]): string {
  const body = asked
    .reduce((rest, id) => rest.replaceAll(id, '<id>'), text)
    .replaceAll(/"request_id":"[^"]*"/g, '')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>');
  return `${status} ${contentType} ${body}`;
}

/**
 * Shows the categories of the tenant to each of its recipients, and those that callers have created under the key of
 * the victim's to these. What the victim has chosen stays a leak.
 */
function categoriesShown({ name }: Route, column: Column): string[] {
  if (name !== 'GET /api/v1/preferences/effective') return [];
  const { examples, mark } = column.victim;
  return [examples.category, ...(column.name === 'a token of another recipient' ? [`Category ${mark}`] : [])];
}

/** Data of the victim in an answer, other than the ids that the request itself named. */
function leaksIn(text: string, { examples, mark }: Column['victim'], asked: readonly string[]): string[] {
  const rest = asked.reduce((left, id) => left.replaceAll(id, ''), text);
  return [mark, ...Object.values(examples)].filter((secret) => rest.includes(secret));
}

/** Shows only the key of the request, whatever its scopes. */
const isForAnyKey = ({ access, scope }: Route): boolean => access === 'tenant' && !scope;
const KEYS_OF_OWNER = new Set(["a key without the route's scope", "the tenant's test key"]);

/** Returns what is wrong with the answer to one case, or null. */
async function check(column: Column, route: Route): Promise<string | null> {
  cases.add(`${column.name} ${route.name}`);
  const { victim } = column;
  const credential = await column.credential(route);
  const { ids } = exampleOf(route, victim.examples);
  const answer = await send(route, credential, victim.examples);
  const wrong = (why: string): string => `${route.name}: ${why}: ${answer.status} ${answer.text.slice(0, 300)}`;
  if (route.access === 'public') {
    const anonymous = await send(route, {}, victim.examples);
    return comparable(answer, ids) === comparable(anonymous, ids) ? null : wrong('differs by credential');
  }
  const expected = isForAnyKey(route) && KEYS_OF_OWNER.has(column.name) ? 'works' : column.expected[route.access];
  if (expected === 'works') {
    const hasWorked = answer.status < 300 || answer.status === 409;
    return hasWorked && isFull(route, answer, victim.mark) ? null : wrong('does not work');
  }
  const leaks = leaksIn(answer.text, victim, [...ids, ...categoriesShown(route, column)]);
  if (leaks.length > 0) return wrong(`shows ${leaks.join()}`);
  if (expected === 'as missing') return await differenceToMissing();
  const status = expected === 'forbidden' ? 403 : 401;
  return answer.status === status && answer.text.includes(`"code":"${expected}"`) ? null : wrong(`is not ${status}`);

  async function differenceToMissing(): Promise<string | null> {
    if (ids.length === 0 || route.access === 'socket') {
      const isOwnData = answer.status < 300 || answer.status === 409;
      return isOwnData ? null : wrong('does not answer with the own data');
    }
    const missing = missingLike(victim.examples);
    const absent = await send(route, credential, missing);
    const { ids: absentIds } = exampleOf(route, missing);
    if (comparable(answer, ids) !== comparable(absent, absentIds))
      return wrong(`differs from ${absent.status} ${absent.text.slice(0, 300)}`);
    const mustBe404 = /\{(id|key|token|keyId)\}/.test(route.path) && route.statuses.includes(404);
    return mustBe404 && answer.status !== 404 ? wrong('is not 404') : null;
  }
}

/** Streams show the items of the victim. */
function isFull(route: Route, { text }: Received, mark: string): boolean {
  return route.method !== 'GET' || !route.path.endsWith('/stream') || text.includes(mark);
}

async function checkAll(column: Column, order: string[], isWanted: (expected: Expected) => boolean): Promise<string[]> {
  const rank = ({ method, path }: Route): number => order.indexOf(method) * 1_000 - path.length;
  const wanted = routes.filter(({ access }) => access === 'public' || isWanted(column.expected[access]));
  const wrong: string[] = [];
  for (const route of wanted.toSorted((one, two) => rank(one) - rank(two))) {
    const found = await check(column, route);
    if (found) wrong.push(found);
  }
  failures += wrong.length;
  return wrong;
}

describe('the attack matrix', () => {
  const names = [
    'nothing',
    'a malformed key',
    'a well-formed key that does not exist',
    'the id of a key with another secret',
    'a revoked key',
    'an expired key',
    'the key of a suspended tenant',
    "a key without the route's scope",
    "another tenant's key",
    "the tenant's test key",
    'a key for other addresses',
    'a token of the same recipient id from a test key',
    'a token of another recipient',
    'a token of the same recipient id at another tenant',
    'a token of a suspended tenant',
    "a token without the route's scope",
    'a malformed token',
    'an expired token',
    'a revoked token',
    'a token for another audience',
    'a token with alg none',
    'a token signed with another key',
    'a wrong operator token',
    "the operator's token",
    "the recipient's token",
    "the tenant's key",
  ];
  let before: Record<string, string>;

  it('has an example for every route, and a test for every column', async () => {
    expect(columns.map(({ name }) => name)).toEqual(names);
    expect(routes.length).toBeGreaterThan(80);
    for (const route of routes) exampleOf(route, columns[0]!.victim.examples);
    // A route with an access rule but no scope in the document would not be tested against a key without the scope.
    const unscoped = routes.filter(({ access, scope }) => access !== 'public' && access !== 'operator' && !scope);
    expect(unscoped.map(({ name }) => name)).toEqual(['GET /api/v1/api-key']);
    before = await everything();
    for (const { victim } of owners) expect(JSON.stringify(before)).toContain(victim.mark);
  });

  it.each(names)(
    'with %s: routes that refuse it or answer as if nothing existed',
    async (name) => {
      const column = columns.find((one) => one.name === name)!;
      // PUT comes last: it creates things under the ids that the other routes must not find.
      expect(await checkAll(column, ['GET', 'DELETE', 'PATCH', 'POST', 'PUT'], (one) => one !== 'works')).toEqual([]);
    },
    120_000,
  );

  it('nothing of this has changed the data', async () => {
    expect(await everything()).toEqual(before);
  });

  it.each(["the operator's token", "the recipient's token", "the tenant's key"])(
    'with %s: routes that it may use, so that the refusals above prove something',
    async (name) => {
      const column = columns.find((one) => one.name === name)!;
      expect(await checkAll(column, ['GET', 'PUT', 'PATCH', 'POST', 'DELETE'], (one) => one === 'works')).toEqual([]);
    },
    120_000,
  );

  it('has tried every route with every column', () => {
    console.log(
      `attack matrix: ${cases.size} cases, ${routes.length} routes and ${columns.length} columns, ${failures} failures`,
    );
    expect(cases.size).toBeGreaterThanOrEqual(routes.length * columns.length);
  });
});

const withoutTimeOfExport = (text: string): string => text.replace(/"exported_at":"[^"]*"/, '');

/** The answers of all routes that read the data of a tenant, except counts, which a worker changes meanwhile. */
async function everything(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { apiKey, victim } of owners)
    for (const route of routes.filter(({ method, access }) => method === 'GET' && /tenant|recipient/.test(access)))
      if (route.path !== '/api/v1/statistics')
        found[`${victim.mark} ${route.name}`] = withoutTimeOfExport(
          (await send(route, { apiKey }, victim.examples)).text,
        );
  return found;
}
