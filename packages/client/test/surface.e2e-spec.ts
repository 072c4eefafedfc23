// Calls every method of the client against the running API. A route of the API that the client lacks fails the test.

import { Carillon } from '@carillon/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Examples, exampleOf } from '../../../test/access/examples.js';
import { type Route, routesOf } from '../../../test/access/openapi-routes.js';
import { seedOperator, seedTenant } from '../../../test/access/seed-tenant.ts';
import { type Json, startTestEnvironment, type TestEnvironment } from '../../../test/test-environment.js';

/** JavaScript without types. */
const CONFIG: string = '../openapi-ts.config.js';
const { NOT_CALLED } = (await import(CONFIG)) as { NOT_CALLED: string[] };

let app: TestEnvironment;
let document: Json;
let examples: Examples;
let carillon: Carillon;

beforeAll(async () => {
  app = await startTestEnvironment();
  const tenant = await app.tenant();
  document = (await app.call('GET', '/openapi.json')).body;
  const ofTenant = await seedTenant(tenant.call, 'sdk');
  const ofOperator = await seedOperator(app.operator, tenant.call, tenant.id);
  examples = { ...ofTenant, ...ofOperator, unsubscribeToken: '', preferencesToken: '', consoleKey: tenant.apiKey };
  carillon = new Carillon({ url: app.url, apiKey: tenant.apiKey, operatorToken: app.config.adminToken });
});
afterAll(() => app?.stop());

type Method = (options: Record<string, unknown>) => Promise<unknown>;

/** `Notifications_send` is `carillon.notifications.send`. */
function methodOf({ method, path }: Route): Method {
  const [group, name] = document.paths[path][method.toLowerCase()].operationId.split('_') as [string, string];
  const property = group[0]!.toLowerCase() + group.slice(1);
  const groups = carillon as unknown as Record<string, Record<string, Method>>;
  const call = groups[property]?.[name];
  if (!call) throw new Error(`the client has no ${property}.${name} for ${method} ${path}`);
  return call.bind(groups[property]);
}

/** The options of a call for the example of the route. */
function optionsOf(route: Route): Record<string, unknown> {
  const example = exampleOf(route, examples);
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const pattern = new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '([^/]+)')}$`);
  const values = pattern.exec(example.path)!.slice(1).map(decodeURIComponent);
  return {
    path: Object.fromEntries(names.map((name, index) => [name, values[index]])),
    ...(example.body !== undefined && { body: example.body }),
    ...(route.access === 'recipient' && { headers: { 'X-Recipient-ID': examples.recipient } }),
  };
}

/** Reads before it changes, changes before it deletes, and the routes of one thing before those of the things in it. */
function inOrder(routes: Route[]): Route[] {
  const order = ['GET', 'PUT', 'PATCH', 'POST', 'DELETE'];
  const rank = ({ method, path }: Route): number => order.indexOf(method) * 1_000 - path.length;
  return routes.toSorted((one, two) => rank(one) - rank(two));
}

/** The calls that fail, except for a conflict with the state of what was found. */
async function failuresOf(routes: Route[], optionsFor: (route: Route) => Record<string, unknown>): Promise<string[]> {
  const failures: string[] = [];
  for (const route of inOrder(routes)) {
    await methodOf(route)(optionsFor(route)).catch(({ status, message }: { status?: number; message: string }) => {
      if (status !== 409) failures.push(`${route.name}: ${message}`);
    });
  }
  return failures;
}

describe('the client', () => {
  it('needs no body where the types call it optional', async () => {
    const optional = routesOf(document).filter(({ name, method, path }) => {
      const { requestBody } = document.paths[path][method.toLowerCase()];
      return requestBody?.required === false && !NOT_CALLED.includes(name);
    });
    expect(optional.length).toBeGreaterThan(5);
    expect(
      await failuresOf(optional, (route) => {
        const { body: _body, ...options } = optionsOf(route);
        return options;
      }),
    ).toEqual([]);
  });

  it('has a method for every route, and each gets an answer', async () => {
    const routes = routesOf(document).filter(({ name, tokenIn }) => !tokenIn && !NOT_CALLED.includes(name));
    expect(routes.length).toBeGreaterThan(120);
    expect(await failuresOf(routes, optionsOf)).toEqual([]);
  }, 120_000);

  it('has no method for a route that the API does not have', () => {
    const called = routesOf(document).filter(({ name, tokenIn }) => !tokenIn && !NOT_CALLED.includes(name));
    const ids = called.map(({ method, path }) => document.paths[path][method.toLowerCase()].operationId);
    const groups = new Set(ids.map((id: string) => id[0]!.toLowerCase() + id.slice(1).split('_')[0]));
    const found = [...groups].flatMap((group) => {
      const methods = Object.getPrototypeOf((carillon as unknown as Record<string, object>)[group]);
      return Object.getOwnPropertyNames(methods).filter((name) => name !== 'constructor');
    });
    expect(found).toHaveLength(called.length);
    expect(NOT_CALLED.filter((name) => !routesOf(document).some((route) => route.name === name))).toEqual([]);
  });
});
