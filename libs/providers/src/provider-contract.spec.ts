// One suite for every provider: the behaviour that the pipeline relies on. A provider brings an exchange: its vendor at
// the other end of a connection, with responses that the test chooses.

import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import type { ZodType } from 'zod';
import { type ChannelId, ProviderError, type ProviderErrorKind } from '#domain';
import {
  parseMail,
  type Report,
  reporters,
  type SmtpSink,
  snsReport,
  startSmtpSink,
  startVendor,
  UNTRUSTED_TLS,
  until,
  type VendorDescription,
  vendors,
} from '#testing';
import { ConnectionFactory } from './connection-factory.js';
import type { Connection, Provider, ProviderContext, ProviderMessage, Receipt } from './define-provider.js';
import { maskCredentials, ReceiptRefused } from './define-provider.js';
import { EgressGuard } from './http/egress-guard.js';
import { VendorHttp } from './http/vendor-http.js';
import { providers } from './registry.js';

type Answer = 'accept' | 'hang' | 'drip' | 'reset' | { kind: ProviderErrorKind; name: string };

interface Exchange {
  /** One entry for each message that reached the vendor. */
  log(): string[];
  credentials: Record<string, unknown>;
  /** Everything in the credentials that must never appear in an error. */
  secrets: string[];
  /** An address that the vendor accepts. */
  to: string | null;
  /** Sets the vendor's behaviour from now on; returns the address to send to. */
  answer(answer: Answer): string | null;
  /** Responds to the requests that hang. */
  release(): void;
  /** The vendor's refusals and the kind of each. */
  refusals: { kind: ProviderErrorKind; name: string; retryAfterSeconds?: number }[];
  deposit(message: ProviderMessage): Promise<void>;
  close(): Promise<void>;
}

/** Enough concurrent sends to reveal a hidden queue in a provider. */
const MANY = 10;
/** Vendors that return no message id. */
const NAMELESS = new Set(['slack', 'teams']);
/** Vendors whose credentials can only be verified by a request like that of a send. */
const PROBES = new Set(['fcm', 'slack']);
const PASSWORD = 'a-secret-password-1234';

const smtpRefusals: Record<string, { kind: ProviderErrorKind; at: 'rcpt' | 'data'; code: number; message: string }> = {
  greylisted: { kind: 'transient', at: 'rcpt', code: 451, message: '4.7.1 come back later' },
  'mailbox full for now': { kind: 'transient', at: 'rcpt', code: 452, message: '4.2.2 mailbox full' },
  'too many connections': { kind: 'throttled', at: 'rcpt', code: 454, message: '4.7.0 too many' },
  'no such user': { kind: 'bad_address', at: 'rcpt', code: 550, message: '5.1.1 no such user' },
  'mailbox name not allowed': { kind: 'bad_address', at: 'rcpt', code: 553, message: '5.1.3 not allowed' },
  'refused for policy': { kind: 'rejected', at: 'rcpt', code: 550, message: '5.7.1 policy' },
  spam: { kind: 'rejected', at: 'data', code: 554, message: '5.7.1 looks like spam' },
  'too large': { kind: 'rejected', at: 'data', code: 552, message: '5.3.4 too large' },
  'authentication required': { kind: 'misconfigured', at: 'rcpt', code: 530, message: '5.7.0 authenticate first' },
};

const exchanges: Record<string, () => Promise<Exchange>> = {
  sandbox: async () => {
    const taken: string[] = [];
    return {
      log: () => taken,
      credentials: {},
      secrets: [],
      to: 'someone@example.com',
      answer: (answer) =>
        answer === 'accept'
          ? 'someone@example.com'
          : answer === 'hang' || answer === 'drip'
            ? 'unknown@simulator.test'
            : answer === 'reset'
              ? 'down@simulator.test'
              : `${answer.name}@simulator.test`,
      release: () => undefined,
      refusals: [
        { kind: 'transient', name: 'down' },
        { kind: 'transient', name: 'flaky' },
        { kind: 'throttled', name: 'throttled' },
        { kind: 'rejected', name: 'rejected' },
        { kind: 'bad_address', name: 'bad-address' },
      ],
      deposit: async ({ deliveryId }) => void taken.push(deliveryId),
      close: async () => undefined,
    };
  },
  smtp: async () => {
    const sink: SmtpSink = await startSmtpSink({ user: 'user', password: PASSWORD });
    return {
      log: () => sink.log.map(({ to }) => to.join()),
      credentials: {
        host: '127.0.0.1',
        port: sink.port,
        tls: 'none',
        user: 'user',
        password: PASSWORD,
        from: 'Carillon <carillon@example.com>',
      },
      secrets: [PASSWORD],
      to: 'someone@example.com',
      answer: (answer) => {
        const refusal = typeof answer === 'object' ? smtpRefusals[answer.name]! : null;
        sink.answerRcpt(refusal?.at === 'rcpt' ? refusal : null);
        sink.answerData(
          answer === 'drip'
            ? 'hang'
            : answer === 'hang' || answer === 'reset'
              ? answer
              : refusal?.at === 'data'
                ? refusal
                : null,
        );
        return 'someone@example.com';
      },
      release: () => sink.release(),
      refusals: Object.entries(smtpRefusals).map(([name, { kind }]) => ({ kind, name })),
      deposit: async () => undefined,
      close: () => sink.close(),
    };
  },
  ...Object.fromEntries(Object.values(vendors).map((vendor) => [vendor.id, () => overHttp(vendor)])),
};

async function overHttp(description: VendorDescription): Promise<Exchange> {
  const vendor = await startVendor(description);
  return {
    log: () => vendor.sends.map(({ path }) => path),
    credentials: vendor.credentials,
    secrets: description.secrets,
    to: vendor.to,
    answer: (answer) => {
      vendor.behave(typeof answer === 'object' ? description.refusals[answer.name]!.reply : answer);
      return vendor.to;
    },
    release: () => vendor.release(),
    refusals: Object.entries(description.refusals).map(([name, refusal]) => ({ name, ...refusal })),
    deposit: async () => undefined,
    close: () => vendor.close(),
  };
}

const contents: Partial<Record<ChannelId, Record<string, unknown>>> = {
  email: { subject: 'Grüße', html: '<p>Hello <b>there</b></p>', text: 'Hello there' },
  sms: { text: 'Grüße' },
  push: { title: 'Grüße', body: 'Hello there', data: { order: '7' } },
  chat: { text: 'Grüße' },
  webhook: { body: '{"hello":"there"}' },
};

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** The services of a provider, with access to the vendors on loopback. */
function contextWith(deposit: (message: ProviderMessage) => Promise<void> = async () => undefined): ProviderContext {
  const guard = new EgressGuard(['127.0.0.0/8']);
  const http = new VendorHttp(guard);
  open.push(() => http.close());
  return { http, guard, deposit, receiptsUrl: 'https://carillon.example.com/receipts/x/y' };
}

async function connect(provider: Provider): Promise<{ exchange: Exchange; connection: Connection }> {
  const exchange = await exchanges[provider.id]!();
  const connection = provider.connect(provider.credentials.parse(exchange.credentials), contextWith(exchange.deposit));
  open.push(async () => {
    await connection.close?.();
    await exchange.close();
  });
  return { exchange, connection };
}

const TENANT = '01939d05-0000-7000-8000-000000000001';
const DELIVERY = '01939d05-0000-7000-8000-000000000002';

const message = (to: string | null, channel: ChannelId = 'email'): ProviderMessage => ({
  tenantId: TENANT,
  notificationId: 'n',
  deliveryId: DELIVERY,
  recipientId: 'r',
  attempt: 1,
  channel,
  to,
  content: contents[channel]!,
});

async function failure(
  connection: Connection,
  to: string | null,
  signal = AbortSignal.timeout(3_000),
  channel: ChannelId = 'email',
): Promise<ProviderError> {
  try {
    await connection.send(message(to, channel), { signal, idempotencyKey: 'd:1' });
  } catch (error) {
    expect(error).toBeInstanceOf(ProviderError);
    return error as ProviderError;
  }
  throw new Error('the message was accepted');
}

describe.each(Object.values(providers))('$id keeps the contract of a provider:', (provider) => {
  const channel = provider.channels[0]!;
  const fails = (connection: Connection, to: string | null, signal = AbortSignal.timeout(3_000)) =>
    failure(connection, to, signal, channel);

  it('sends a good message once, and returns its id', async () => {
    const { exchange, connection } = await connect(provider);
    const sent = await connection.send(message(exchange.answer('accept'), channel), {
      signal: AbortSignal.timeout(3_000),
      idempotencyKey: 'd:1',
    });
    if (!NAMELESS.has(provider.id)) expect(sent.messageId).toMatch(/./);
    expect(exchange.log()).toHaveLength(1);
  });

  it('maps each refusal to its kind, after one request, with the delay that the vendor asked for', async () => {
    const { exchange, connection } = await connect(provider);
    expect(exchange.refusals.length).toBeGreaterThan(3);
    for (const refusal of exchange.refusals) {
      const before = exchange.log().length;
      const error = await fails(connection, exchange.answer(refusal));
      expect([refusal.name, error.kind]).toEqual([refusal.name, refusal.kind]);
      expect(error.code, refusal.name).toMatch(/./);
      expect(exchange.log().length - before, refusal.name).toBeLessThanOrEqual(1);
      if (refusal.retryAfterSeconds !== undefined) expect(error.retryAfterSeconds).toBe(refusal.retryAfterSeconds);
    }
  });

  it.each(['hang', 'drip'] as const)('ends at the deadline, with an unknown outcome (%s)', async (behaviour) => {
    const { exchange, connection } = await connect(provider);
    const startedAt = performance.now();
    const error = await fails(connection, exchange.answer(behaviour), AbortSignal.timeout(300));
    expect(error.kind).toBe('unknown');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it('sends nothing of an aborted send later', async () => {
    const { exchange, connection } = await connect(provider);
    const atOnce = Math.min(connection.maxInFlight ?? MANY, MANY);
    const to = exchange.answer('hang');
    for (let round = 0; round < 2; round += 1) {
      const deadline = new AbortController();
      const given = Array.from({ length: atOnce }, () => fails(connection, to, deadline.signal));
      const arrived = provider.id === 'sandbox' ? 0 : (round + 1) * atOnce;
      await until('all requests have reached the vendor', () => exchange.log().length === arrived);
      deadline.abort();
      await Promise.all(given);
    }
    const arrived = exchange.log().length;
    const good = exchange.answer('accept');
    exchange.release();
    const deadline = AbortSignal.timeout(3_000);
    const sends = Array.from({ length: atOnce }, () =>
      connection.send(message(good, channel), { signal: deadline, idempotencyKey: 'd:1' }),
    );
    await Promise.all(sends);
    expect(exchange.log().length - arrived).toBe(atOnce);
  });

  it('reports a reset after the message was written as unknown', async () => {
    const { exchange, connection } = await connect(provider);
    const error = await fails(connection, exchange.answer('reset'));
    expect(error.kind).toBe(provider.id === 'sandbox' ? 'transient' : 'unknown');
    expect(exchange.log().length).toBeLessThanOrEqual(1);
  });

  it('reports a refused connection as transient, because nothing was sent', async () => {
    if (provider.id === 'sandbox') return;
    const { exchange, connection } = await connect(provider);
    const to = exchange.answer('accept');
    await exchange.close();
    expect((await fails(connection, to)).kind).toBe('transient');
  });

  it('shows no secret in errors and masked credentials', async () => {
    const { exchange, connection } = await connect(provider);
    const shown = [JSON.stringify(maskCredentials(provider.credentials, exchange.credentials))];
    const show = (error: ProviderError): number =>
      shown.push(inspect(error, { depth: 10, showHidden: true }), JSON.stringify(error));
    for (const refusal of exchange.refusals) show(await fails(connection, exchange.answer(refusal)));
    show(await fails(connection, exchange.answer('reset')));
    for (const secret of exchange.secrets) expect(shown.join('\n')).not.toContain(secret);
  });

  it('verifies good credentials without sending', async () => {
    const { exchange, connection } = await connect(provider);
    await connection.verify({ signal: AbortSignal.timeout(3_000) });
    if (!PROBES.has(provider.id)) expect(exchange.log()).toEqual([]);
  });
});

/** Accepts every token. */
const bindToken = async (): Promise<void> => undefined;

const URL_OF_ACCOUNT = 'https://carillon.example.com/receipts/x/y';

const reporting = Object.values(providers).filter(({ parseReceipts }) => parseReceipts);

it('every provider with receipts has a reporter that signs them', () => {
  expect(Object.keys(reporters).sort()).toEqual(reporting.map(({ id }) => id).sort());
});

describe.each(reporting)('a receipt of $id', (provider) => {
  const reporter = reporters[provider.id]!;
  const prepare = async () => {
    const vendor = await startVendor(vendors[provider.id]!);
    open.push(() => vendor.close());
    const options = { credentials: vendor.credentials, url: URL_OF_ACCOUNT, tenantId: TENANT, deliveryId: DELIVERY };
    const { http } = contextWith();
    const credentials = provider.credentials.parse(vendor.credentials);
    const read = ({ headers, body }: Report, url = reporter.urlOf?.(options) ?? URL_OF_ACCOUNT): Promise<Receipt[]> =>
      provider.parseReceipts!({ url, headers, body, signal: AbortSignal.timeout(3_000), bindToken }, credentials, http);
    const connection = provider.connect(credentials, contextWith());
    open.push(async () => connection.close?.());
    return { vendor, connection, options, read };
  };

  it('is about the delivery that its send has named', async () => {
    const { vendor, connection } = await prepare();
    const sent = message(vendor.to, provider.channels[0]);
    await connection.send(sent, { signal: AbortSignal.timeout(3_000), idempotencyKey: 'd:1' });
    const carried = decodeURIComponent(vendor.sends[0]!.body);
    expect(carried).toContain(TENANT);
    expect(carried).toContain(DELIVERY);
    // The limit of Vonage's client-ref.
    const reference = new URLSearchParams(vendor.sends[0]!.body).get('client-ref') ?? '';
    expect(reference.length).toBeLessThanOrEqual(100);
  });

  it.each(reporter.kinds)('%s is parsed with its delivery, each time it is repeated', async (kind) => {
    const { options, read } = await prepare();
    const report = reporter.report(kind, options);
    const [receipt, ...rest] = await read(report);
    expect(rest).toEqual([]);
    expect(receipt).toMatchObject({ kind, tenantId: TENANT, deliveryId: DELIVERY });
    if (kind === 'bounced') expect(receipt!.detail).toMatch(/./);
    if (kind === 'bounced' || kind === 'complained')
      expect(receipt!.suppress).toMatch(/bounced|complained|bad_address/);
    expect(await read(report)).toEqual([receipt]);
  });

  it('is ignored if it is about a delivery that is not ours', async () => {
    const { options, read } = await prepare();
    expect(
      await read(
        reporter.report('delivered', { ...options, deliveryId: 'theirs' }),
        reporter.urlOf?.({ ...options, deliveryId: 'theirs' }),
      ),
    ).toEqual([]);
  });

  it('is refused if it is forged, altered, or not signed', async () => {
    const { options, read } = await prepare();
    const good = reporter.report('delivered', options);
    const other = Object.fromEntries(
      Object.entries(options.credentials).map(([name, value]) => [
        name,
        name === 'endpoint' ? value : String(value).replace(/^(whsec_)?/, '$1eHh4'),
      ]),
    );
    const forged =
      provider.id === 'sendgrid'
        ? { ...good, body: `${good.body} ` }
        : forge(provider.id, good, reporter.report('delivered', { ...options, credentials: other }));
    await expect(read(forged), 'forged').rejects.toBeInstanceOf(ReceiptRefused);
    const signed = Object.entries(good.headers).filter(([name]) => !/signature|authorization/.test(name));
    const naked = {
      headers: Object.fromEntries(signed),
      body: good.body
        .replace(/"Signature":"[^"]*"|"signature":"[0-9a-f]{64}"/, (found) => found.replace(/:"[^"]*"/, ':""'))
        .replace(/("client-ref":"[^"]*)\.[\w-]+"/, '$1"'),
    };
    await expect(read(naked), 'not signed').rejects.toBeInstanceOf(ReceiptRefused);
    await expect(read({ headers: {}, body: 'null' }), 'nothing at all').rejects.toBeInstanceOf(ReceiptRefused);
  });
});

/** SNS signs with one key for all accounts, so a forged report has a changed message. */
function forge(id: string, good: Report, signedByAnother: Report): Report {
  return id === 'ses' ? { ...good, body: good.body.replace('Delivery', 'Open') } : signedByAnother;
}

describe('the endpoint of an account', () => {
  it('has at most 2,048 characters, and is validated in linear time', () => {
    const { endpoint } = providers['sendgrid']!.credentials.shape as unknown as { endpoint: ZodType };
    expect(endpoint.parse('http://127.0.0.1:1/')).toBe('http://127.0.0.1:1');
    const startedAt = performance.now();
    expect(endpoint.safeParse(`http://127.0.0.1:1/${'/'.repeat(300_000)}!`).success).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('is refused in production, and nothing is sent there', async () => {
    const vendor = await startVendor(vendors['sendgrid']!);
    open.push(() => vendor.close());
    const connectorFor = (production: boolean): ConnectionFactory => {
      const egressAllowedCidrs = ['127.0.0.0/8'];
      const connectionFactory = new ConnectionFactory({
        production,
        publicUrl: undefined,
        egressAllowedCidrs,
        deposit: async () => undefined,
      });
      open.push(() => connectionFactory.close());
      return connectionFactory;
    };
    const account = { id: 'a', provider: 'sendgrid', credentials: vendor.credentials };
    const strict = connectorFor(true);
    expect(strict.endpointError(vendor.credentials)).toBe('is refused in production');
    expect(await failure(strict.open(account), 'x@example.com')).toMatchObject({ kind: 'misconfigured' });
    expect(vendor.log).toEqual([]);
    const options = { signal: AbortSignal.timeout(3_000), idempotencyKey: 'd:1' };
    await connectorFor(false).open(account).send(message('x@example.com'), options);
    expect(vendor.sends).toHaveLength(1);
  });
});

describe('ses in particular', () => {
  const ses = providers['ses']!;

  it('confirms the subscription of its topic, and refuses other topics, hosts and older signatures', async () => {
    const vendor = await startVendor(vendors['ses']!);
    open.push(() => vendor.close());
    const { http } = contextWith();
    const credentials = ses.credentials.parse(vendor.credentials);
    const read = (report: Report): Promise<Receipt[]> =>
      ses.parseReceipts!(
        { url: URL_OF_ACCOUNT, ...report, signal: AbortSignal.timeout(3_000), bindToken },
        credentials,
        http,
      );
    const confirmed = (): number => vendor.log.filter(({ path }) => path.includes('ConfirmSubscription')).length;
    expect(await read(snsReport('SubscriptionConfirmation', 'confirm', vendor.credentials))).toEqual([]);
    expect(confirmed()).toBe(1);
    const refused = async (report: Report, words: RegExp): Promise<void> => {
      const error = await read(report).catch((caught: Error) => caught);
      expect(error).toBeInstanceOf(ReceiptRefused);
      expect((error as Error).message).toMatch(words);
    };
    const elsewhere = { ...vendor.credentials, topic_arn: 'arn:aws:sns:eu-west-1:123456789012:another' };
    await refused(snsReport('SubscriptionConfirmation', 'confirm', elsewhere), /not the topic_arn/);
    const host = { ...vendor.credentials, endpoint: 'https://sns.eu-west-1.amazonaws.com.evil.example' };
    await refused(snsReport('Notification', '{}', host), /host/);
    const old = snsReport('Notification', '{}', vendor.credentials);
    await refused(
      { ...old, body: old.body.replace('"SignatureVersion":"2"', '"SignatureVersion":"1"') },
      /signature version/,
    );
    expect(confirmed()).toBe(1);
  });
});

describe('fcm in particular', () => {
  it('waits for an access token until its own deadline, and posts nothing after that', async () => {
    const { accept, ...rest } = vendors['fcm']!;
    const token = () => ({ status: 200, body: { access_token: 'an-access-token', expires_in: 3_600 } });
    // The chosen behaviour applies to the requests for a token.
    const isSend = ({ path }: { path: string }): boolean => path === '/token';
    const vendor = await startVendor({ ...rest, isSend, accept: token, other: (request) => accept(request, 1) });
    open.push(() => vendor.close());
    const { fcm } = providers as { fcm: Provider };
    const connection = fcm.connect(fcm.credentials.parse(vendor.credentials), contextWith());
    vendor.behave('hang');
    const patient = AbortSignal.timeout(3_000);
    const early = failure(connection, vendor.to, AbortSignal.timeout(200), 'push');
    const late = connection.send(message(vendor.to, 'push'), { signal: patient, idempotencyKey: 'd:2' });
    const last = failure(connection, vendor.to, AbortSignal.timeout(400), 'push');
    expect(await early).toMatchObject({ kind: 'transient', code: 'deadline' });
    expect(await last).toMatchObject({ kind: 'transient', code: 'deadline' });
    expect(patient.aborted).toBe(false);
    vendor.release();
    expect((await late).messageId).toMatch(/./);
    expect(vendor.log.filter(({ path }) => path.endsWith('messages:send'))).toHaveLength(1);
  });
});

describe('twilio in particular', () => {
  it('checks the signature of the example in the documentation', async () => {
    // https://www.twilio.com/docs/usage/security#explore-the-algorithm-yourself
    const { http } = contextWith();
    const account = { account_sid: `AC${'0'.repeat(32)}`, auth_token: '12345', from: '+15005550006' };
    const call = {
      url: 'https://example.com/myapp.php?foo=1&bar=2',
      headers: { 'x-twilio-signature': 'L/OH5YylLD5NRKLltdqwSvS0BnU=' },
      body: 'CallSid=CA1234567890ABCDE&Caller=%2B14158675310&Digits=1234&From=%2B14158675310&To=%2B18005551212',
      signal: AbortSignal.timeout(1_000),
      bindToken,
    };
    expect(await providers['twilio']!.parseReceipts!(call, account, http)).toEqual([]);
    await expect(
      providers['twilio']!.parseReceipts!({ ...call, body: `${call.body}0` }, account, http),
    ).rejects.toBeInstanceOf(ReceiptRefused);
  });

  it('refuses a call larger than a status callback before it checks the signature', async () => {
    const { http } = contextWith();
    const account = { account_sid: `AC${'0'.repeat(32)}`, auth_token: '12345', from: '+15005550006' };
    const call = { url: 'https://example.com/', headers: {}, signal: AbortSignal.timeout(1_000), bindToken };
    for (const body of ['a='.padEnd(100_000, 'x'), Array.from({ length: 300 }, (_, n) => `f${n}=1`).join('&')])
      await expect(providers['twilio']!.parseReceipts!({ ...call, body }, account, http)).rejects.toThrow(/larger/);
  });

  it.each([
    ['the vendor’s host', undefined, 'api.twilio.com'],
    ['the host of the endpoint', 'https://sms.mock.qa.internal.example.com/api', 'sms.mock.qa.internal.example.com'],
  ])('asks for %s, whatever the environment sets for the vendor’s library', async (_, endpoint, expected) => {
    const hosts: string[] = [];
    const guard = new EgressGuard([], async (host) => {
      hosts.push(host);
      return [{ address: '127.0.0.1', family: 4 }];
    });
    const http = new VendorHttp(guard);
    open.push(() => http.close());
    const account = { account_sid: `AC${'0'.repeat(32)}`, auth_token: '12345', from: '+15005550006', endpoint };
    const connection = providers['twilio']!.connect(account, { ...contextWith(), http, guard });
    process.env['TWILIO_EDGE'] = 'ashburn';
    process.env['TWILIO_REGION'] = 'us2';
    try {
      expect(await failure(connection, '+4915112345678', undefined, 'sms')).toMatchObject({
        code: 'forbidden_address',
      });
    } finally {
      delete process.env['TWILIO_EDGE'];
      delete process.env['TWILIO_REGION'];
    }
    expect(hosts).toEqual([expected]);
  });
});

describe('smtp in particular', () => {
  const smtp = providers['smtp']!;

  it('writes one recipient, the text, a message id and Auto-Submitted', async () => {
    const sink = await startSmtpSink();
    const connection = smtp.connect(
      smtp.credentials.parse({
        host: '127.0.0.1',
        port: sink.port,
        tls: 'none',
        from: 'Carillon <carillon@example.com>',
      }),
      contextWith(),
    );
    open.push(async () => {
      await connection.close?.();
      await sink.close();
    });
    const sent = await connection.send(message('someone@example.com'), {
      signal: AbortSignal.timeout(3_000),
      idempotencyKey: 'abc:1',
    });
    const [{ from, to, raw }] = sink.log as [(typeof sink.log)[0]];
    const mail = await parseMail(raw);
    expect([from, to]).toEqual(['carillon@example.com', ['someone@example.com']]);
    expect(mail.subject).toBe('Grüße');
    expect(mail.text?.trim()).toBe('Hello there');
    expect(mail.messageId).toBe('<abc.1@example.com>');
    expect(sent.messageId).toBe('<abc.1@example.com>');
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated');
  });

  it('does not send to a server whose certificate is not trusted', async () => {
    const sink = await startSmtpSink({ tls: UNTRUSTED_TLS });
    const account = { host: '127.0.0.1', port: sink.port, tls: 'implicit', from: 'a@example.com' };
    const connection = smtp.connect(smtp.credentials.parse(account), contextWith());
    open.push(async () => {
      await connection.close?.();
      await sink.close();
    });
    expect(await failure(connection, 'x@example.com')).toMatchObject({
      kind: 'misconfigured',
      code: expect.stringContaining('CERT'),
    });
    expect(sink.log).toEqual([]);
  });

  it('does not connect to private networks', async () => {
    const guard = new EgressGuard([]);
    for (const host of ['127.0.0.1', '169.254.169.254', 'localhost', '::1']) {
      const account = smtp.credentials.parse({ host, port: 25, tls: 'none', from: 'a@example.com' });
      const connection = smtp.connect(account, { ...contextWith(), guard });
      open.push(async () => connection.close?.());
      const error = await failure(connection, 'x@example.com');
      expect([host, error.kind, error.code]).toEqual([host, 'misconfigured', 'forbidden_address']);
    }
  });

  it('reports a wrong password as misconfigured, and a refused connection as transient', async () => {
    const sink = await startSmtpSink({ user: 'user', password: PASSWORD });
    const at = (more: object) =>
      smtp.connect(
        smtp.credentials.parse({ host: '127.0.0.1', port: sink.port, tls: 'none', from: 'a@example.com', ...more }),
        contextWith(),
      );
    const wrong = at({ user: 'user', password: 'wrong' });
    expect((await failure(wrong, 'x@example.com')).kind).toBe('misconfigured');
    await expect(wrong.verify({ signal: AbortSignal.timeout(3_000) })).rejects.toMatchObject({ kind: 'misconfigured' });
    await sink.close();
    expect((await failure(at({}), 'x@example.com')).kind).toBe('transient');
    await wrong.close?.();
  });
});
