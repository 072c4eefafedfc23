// A Nest application with each of Nest's two adapters: it sends through the running Carillon and gets its webhooks.

import 'reflect-metadata';
import { Carillon } from '@carillon/client';
import {
  type CarillonEventOf,
  CarillonModule,
  CarillonWebhooksModule,
  type HandledEvents,
  OnCarillonEvent,
} from '@carillon/nestjs';
import {
  type CanActivate,
  type ExecutionContext,
  GoneException,
  type INestApplication,
  Injectable,
  Logger,
  Module,
  Scope,
  SetMetadata,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, NestFactory, Reflector } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ExpressAdapter } from 'nest-platform-express';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../libs/testing/src/index.js';
import {
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from '../../../test/test-environment.js';

const SECRET = 'whsec_c2VjcmV0IG9mIHRoZSBuZXN0IHRlc3Q=';
const adapters: Record<string, () => FastifyAdapter | ExpressAdapter> = {
  Fastify: () => new FastifyAdapter(),
  Express: () => new ExpressAdapter(),
};

let carillon: TestEnvironment;
let tenant: Tenant;
const running: INestApplication[] = [];

beforeAll(async () => {
  carillon = await startTestEnvironment();
  tenant = await carillon.tenant();
});
afterAll(async () => {
  for (const application of running) await application.close();
  await carillon?.stop();
});

/** The events that the handlers of one application have got. */
class Received {
  readonly events: Json[] = [];
  readonly failed: CarillonEventOf<'delivery.failed'>[] = [];
  /** Fails the next calls of the handler. */
  failures = 0;
  /** How often the handler has begun, and what it waits for. */
  begun = 0;
  wait: Promise<unknown> = Promise.resolve();
}

interface Started {
  received: Received;
  application: INestApplication;
  url: string;
}

async function startApplication(
  adapter: string,
  module: (received: Received) => Type,
  options: { rawBody?: boolean } = { rawBody: true },
): Promise<Started> {
  const received = new Received();
  const application = await NestFactory.create(module(received), adapters[adapter]!(), {
    logger: false,
    abortOnError: false,
    ...options,
  });
  running.push(application);
  await application.listen(0, '127.0.0.1');
  const url = (await application.getUrl()).replace('[::1]', '127.0.0.1');
  return { received, application, url: `${url}/carillon/webhooks` };
}

function handlersOf(received: Received): Type {
  @Injectable()
  class Handlers {
    @OnCarillonEvent('delivery.sent', 'webhook.test')
    take(event: CarillonEventOf<'delivery.sent' | 'webhook.test'>): void {
      received.events.push(event);
    }

    @OnCarillonEvent('delivery.failed')
    async takeFailure(event: CarillonEventOf<'delivery.failed'>): Promise<void> {
      received.begun += 1;
      await received.wait;
      received.failures -= 1;
      if (received.failures >= 0) throw new GoneException('the database of the application is away');
      received.failed.push(event);
    }
  }
  return Handlers;
}

/** Only receives. */
function receiver(received: Received, secrets: string | string[] = SECRET, handledEvents?: HandledEvents): Type {
  @Module({
    imports: [CarillonWebhooksModule.forRoot({ secrets, ...(handledEvents && { handledEvents }) })],
    providers: [handlersOf(received)],
  })
  class Application {}
  return Application;
}

interface Signed {
  id?: string;
  at?: Date;
  secret?: string;
  type?: string;
}

function signed({ id = crypto.randomUUID(), at = new Date(), secret = SECRET, type = 'delivery.failed' }: Signed = {}) {
  const body = JSON.stringify({ type, timestamp: at.toISOString(), data: { recipient_id: 'ann', note: 'ü\u2028' } });
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
  return { headers, body };
}

async function post(url: string, call: { headers: Record<string, string>; body?: string }) {
  const response = await fetch(url, { method: 'POST', ...call });
  return { status: response.status, body: (await response.json()) as Json };
}

describe.each(Object.keys(adapters))('an application on %s', (adapter) => {
  it('sends with the injected client, and its handlers get the real webhooks', async () => {
    const settings = Promise.resolve({ url: carillon.url, apiKey: tenant.apiKey });
    let secret = '';

    @Injectable()
    class Mail {
      constructor(readonly client: Carillon) {}
    }
    const { application, received, url } = await startApplication(adapter, (handlers) => {
      @Module({ providers: [Mail, handlersOf(handlers)] })
      class MailModule {}
      @Module({
        imports: [
          CarillonModule.forRootAsync({ isGlobal: true, useFactory: () => settings }),
          // Gets the secret as an application would that registers its own webhook.
          CarillonWebhooksModule.forRootAsync({
            imports: [CarillonModule.forRootAsync({ useFactory: () => settings })],
            inject: [Carillon],
            useFactory: async (client: Carillon) => {
              const webhook = await client.webhooks.create({ body: { url: `${carillon.url}/later`, events: ['*'] } });
              secret = webhook.secret;
              return { secrets: [webhook.secret] };
            },
          }),
          MailModule,
        ],
      })
      class Application {}
      return Application;
    });
    const { client } = application.get(Mail, { strict: false });
    const [webhook] = (await client.webhooks.list()).data;
    await client.webhooks.update({ path: { id: webhook!.id }, body: { url } });
    // The first call may fail until the worker knows the new URL; it is repeated.
    await client.notifications.send({ body: simulated('ok', `nest-${adapter}`) as Json });
    await client.notifications.send({ body: simulated('rejected', `nest-${adapter}`) as Json });
    await client.webhooks.test({ path: { id: webhook!.id } });
    await until('all events have arrived', () => received.events.length >= 2 && received.failed.length >= 1, 30_000);
    expect(received.events.map(({ type }) => type).toSorted()).toEqual(['delivery.sent', 'webhook.test']);
    expect(received.failed[0]!.data).toMatchObject({ recipient_id: `nest-${adapter}`, reason: 'rejected' });
    expect(secret).toMatch(/^whsec_/);
    await client.webhooks.delete({ path: { id: webhook!.id } });
  }, 60_000);

  it('refuses wrong, old and incomplete calls, and answers a repeated one without its handlers', async () => {
    const { url, received } = await startApplication(adapter, (all) => receiver(all, ['whsec_bmV3', SECRET]));
    const call = signed();
    const forged = { ...call, body: call.body.replace('ann', 'eve') };
    const stranger = signed({ secret: 'whsec_b3RoZXI=' });
    const old = signed({ at: new Date(Date.now() - 301_000) });
    const early = signed({ at: new Date(Date.now() + 360_000) });
    for (const [refused, message] of [
      [forged, 'No matching signature found'],
      [stranger, 'No matching signature found'],
      [old, 'Message timestamp too old'],
      [early, 'Message timestamp too new'],
    ] as const)
      expect(await post(url, refused)).toMatchObject({
        status: 401,
        body: { message: `The signature of the webhook call is refused: ${message}.` },
      });
    const unsigned = { body: call.body, headers: { 'content-type': 'application/json' } };
    expect(await post(url, unsigned)).toMatchObject({
      status: 400,
      body: { message: expect.stringMatching(/webhook-signature are required/) },
    });
    const { 'content-type': _none, ...headers } = call.headers;
    expect(await post(url, { headers })).toMatchObject({
      status: 400,
      body: { message: 'The webhook call has no body.' },
    });
    expect(received.failed).toEqual([]);

    expect(await post(url, call)).toEqual({ status: 200, body: { result: 'handled' } });
    expect(await post(url, call)).toEqual({ status: 200, body: { result: 'repeated' } });
    expect(received.failed).toHaveLength(1);
    expect(received.failed[0]!.data).toMatchObject({ note: 'ü\u2028' });
    // No handler: nothing to do.
    expect(await post(url, signed({ type: 'delivery.expired' }))).toEqual({ status: 200, body: { result: 'handled' } });
  });

  it('answers 500 while a handler fails, and runs it again with the next call', async () => {
    const { url, received } = await startApplication(adapter, receiver);
    const call = signed();
    received.failures = 1;
    expect(await post(url, call)).toMatchObject({ status: 500, body: { message: 'Handlers.takeFailure failed' } });
    expect(await post(url, call)).toEqual({ status: 200, body: { result: 'handled' } });
    expect(received.failed).toHaveLength(1);
  });

  it('runs its handlers once for two calls at the same time', async () => {
    const { url, received } = await startApplication(adapter, receiver);
    const { promise, resolve } = Promise.withResolvers<void>();
    received.wait = promise;
    const call = signed();
    const one = post(url, call);
    await until('the handler has begun', () => received.begun === 1);
    const two = post(url, call);
    // Arrives after the second call.
    await post(url, signed({ type: 'webhook.test' }));
    resolve();
    expect([(await one).body.result, (await two).body.result]).toEqual(['handled', 'repeated']);
    expect(received.begun).toBe(1);
  });

  it('says what to set when it keeps no raw bodies', async () => {
    const { url, received } = await startApplication(adapter, receiver, {});
    expect(await post(url, signed())).toMatchObject({
      status: 500,
      body: { message: expect.stringContaining('`NestFactory.create(AppModule, { rawBody: true })`') },
    });
    expect(received.failed).toEqual([]);
  });

  it('can exempt its route from its own guards, and keep the handled events elsewhere', async () => {
    const ids: string[] = [];
    const store: HandledEvents = {
      has: async (id) => ids.includes(id),
      add: async (id) => ids.push(id),
    };
    @Injectable()
    class SignedInGuard implements CanActivate {
      constructor(private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        return this.reflector.get('public', context.getClass()) === true;
      }
    }
    const application = (received: Received, decorators: ClassDecorator[]): Type => {
      @Module({
        imports: [
          CarillonWebhooksModule.forRoot({
            secrets: SECRET,
            handledEvents: store,
            path: 'carillon/webhooks',
            decorators,
          }),
        ],
        providers: [handlersOf(received), { provide: APP_GUARD, useClass: SignedInGuard }],
      })
      class Application {}
      return Application;
    };
    const guarded = await startApplication(adapter, (all) => application(all, []));
    expect(await post(guarded.url, signed())).toMatchObject({ status: 403 });
    const open = await startApplication(adapter, (all) => application(all, [SetMetadata('public', true)]));
    const call = signed({ id: 'msg_1' });
    expect(await post(open.url, call)).toMatchObject({ status: 200, body: { result: 'handled' } });
    expect(ids).toEqual(['msg_1']);
    expect(await post(open.url, call)).toMatchObject({ status: 200, body: { result: 'repeated' } });
  });
});

describe('an application with a mistake', () => {
  const start = (imports: Json[], providers: Type[] = []) => {
    @Module({ imports, providers })
    class Application {}
    return startApplication('Fastify', () => Application);
  };

  it('does not start, and names the setting', async () => {
    const { url } = carillon;
    await expect(start([CarillonModule.forRoot({ url: 'carillon:8080', apiKey: 'x' })])).rejects.toThrow(
      'url must be a URL like https://carillon.example.com, got "carillon:8080"',
    );
    await expect(start([CarillonModule.forRoot({ url, apiKey: undefined as Json })])).rejects.toThrow(
      'apiKey is missing',
    );
    for (const secrets of [undefined as Json, []])
      await expect(start([CarillonWebhooksModule.forRoot({ secrets })])).rejects.toThrow('secrets is empty');
    const started = start([CarillonWebhooksModule.forRoot({ secrets: [SECRET, 'sk_secret-of-another'] })]);
    await expect(started).rejects.toThrow(/secrets\[1\] is not a secret like whsec_…(?!.*another)/);
  });

  it('does not start with a handler in a class that exists per request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @OnCarillonEvent('*')
      take(): void {}
    }
    await expect(start([CarillonWebhooksModule.forRoot({ secrets: SECRET })], [PerRequest])).rejects.toThrow(
      'PerRequest.take has @OnCarillonEvent, but its class is not a singleton',
    );
  });

  it('does not compile with a handler for another event', () => {
    class Wrong {
      // @ts-expect-error: a delivery is not a finished notification
      @OnCarillonEvent('delivery.sent')
      take(event: CarillonEventOf<'notification.finished'>): void {
        Logger.log(event);
      }
    }
    expect(Wrong).toBeDefined();
  });
});
