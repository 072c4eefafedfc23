// One suite for every provider: what the pipeline relies on. A provider brings an exchange: its vendor at the other end of a
// wire, told what to answer.

import { afterEach, describe, expect, it } from 'vitest';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { parseMail, type SmtpSink, startSmtpSink } from '#testing';
import type { Connection, Provider, ProviderMessage } from './define-provider.js';
import { maskCredentials } from './define-provider.js';
import { providers } from './registry.js';

type Answer = 'accept' | 'hang' | 'reset' | { kind: ProviderErrorKind; name: string };

interface Exchange {
  /** What the vendor's log holds: one entry for each message that reached it. */
  log(): string[];
  credentials: Record<string, unknown>;
  /** Everything in the credentials that must never be told. */
  secrets: string[];
  /** An address that the vendor takes. */
  to: string;
  /** Makes the vendor answer so from now on; returns the address to send to. */
  answer(answer: Answer): string;
  /** The refusals this vendor knows. */
  refusals: { kind: ProviderErrorKind; name: string }[];
  deposit(message: ProviderMessage): Promise<void>;
  close(): Promise<void>;
}

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
          : answer === 'hang'
            ? 'unknown@simulator.test'
            : answer === 'reset'
              ? 'down@simulator.test'
              : `${answer.name}@simulator.test`,
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
        sink.answerData(answer === 'hang' || answer === 'reset' ? answer : refusal?.at === 'data' ? refusal : null);
        return 'someone@example.com';
      },
      refusals: Object.entries(smtpRefusals).map(([name, { kind }]) => ({ kind, name })),
      deposit: async () => undefined,
      close: () => sink.close(),
    };
  },
};

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function connect(provider: Provider): Promise<{ exchange: Exchange; connection: Connection }> {
  const exchange = await exchanges[provider.id]!();
  const connection = provider.connect(provider.credentials.parse(exchange.credentials), { deposit: exchange.deposit });
  open.push(async () => {
    await connection.close?.();
    await exchange.close();
  });
  return { exchange, connection };
}

const message = (to: string): ProviderMessage => ({
  tenantId: 't',
  notificationId: 'n',
  deliveryId: 'd',
  recipientId: 'r',
  attempt: 1,
  channel: 'email',
  to,
  content: { subject: 'Grüße', html: '<p>Hello <b>there</b></p>' },
});

async function failure(
  connection: Connection,
  to: string,
  signal = AbortSignal.timeout(3_000),
): Promise<ProviderError> {
  try {
    await connection.send(message(to), { signal, idempotencyKey: 'd:1' });
  } catch (error) {
    expect(error).toBeInstanceOf(ProviderError);
    return error as ProviderError;
  }
  throw new Error('it was accepted');
}

describe.each(Object.values(providers))('$id keeps the contract of a provider:', (provider) => {
  it('sends a good message once, and says under which id', async () => {
    const { exchange, connection } = await connect(provider);
    const sent = await connection.send(message(exchange.answer('accept')), {
      signal: AbortSignal.timeout(3_000),
      idempotencyKey: 'd:1',
    });
    expect(sent.messageId).toMatch(/./);
    expect(exchange.log()).toHaveLength(1);
  });

  it('tells each refusal as its kind, after one request', async () => {
    const { exchange, connection } = await connect(provider);
    expect(exchange.refusals.length).toBeGreaterThan(3);
    for (const refusal of exchange.refusals) {
      const before = exchange.log().length;
      const error = await failure(connection, exchange.answer(refusal));
      expect([refusal.name, error.kind]).toEqual([refusal.name, refusal.kind]);
      expect(error.code, refusal.name).toMatch(/./);
      expect(exchange.log().length - before, refusal.name).toBeLessThanOrEqual(1);
      if (error.kind === 'throttled' && error.retryAfterSeconds !== null)
        expect(error.retryAfterSeconds).toBeGreaterThan(0);
    }
  });

  it('is cut off at the deadline, with an unknown outcome', async () => {
    const { exchange, connection } = await connect(provider);
    const startedAt = performance.now();
    const error = await failure(connection, exchange.answer('hang'), AbortSignal.timeout(300));
    expect(error.kind).toBe('unknown');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  it('takes a reset after the message was written for unknown, or knows better', async () => {
    const { exchange, connection } = await connect(provider);
    const error = await failure(connection, exchange.answer('reset'));
    expect(error.kind).toBe(provider.id === 'sandbox' ? 'transient' : 'unknown');
    expect(exchange.log().length).toBeLessThanOrEqual(1);
  });

  it('tells no secret, in no error and no masked credentials', async () => {
    const { exchange, connection } = await connect(provider);
    const told = [JSON.stringify(maskCredentials(provider.credentials, exchange.credentials))];
    for (const refusal of exchange.refusals) {
      const error = await failure(connection, exchange.answer(refusal));
      told.push(`${error.message} ${error.code} ${error.stack}`);
    }
    for (const secret of exchange.secrets) expect(told.join('\n')).not.toContain(secret);
  });

  it('verifies good credentials', async () => {
    const { connection } = await connect(provider);
    await connection.verify({ signal: AbortSignal.timeout(3_000) });
  });
});

describe('smtp in particular', () => {
  const smtp = providers['smtp']!;

  it('writes one recipient, a text made from the html, an id of its own and Auto-Submitted', async () => {
    const sink = await startSmtpSink();
    const connection = smtp.connect(
      smtp.credentials.parse({
        host: '127.0.0.1',
        port: sink.port,
        tls: 'none',
        from: 'Carillon <carillon@example.com>',
      }),
      { deposit: async () => undefined },
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

  it('says misconfigured for a wrong password, transient where nobody listens', async () => {
    const sink = await startSmtpSink({ user: 'user', password: PASSWORD });
    const at = (more: object) =>
      smtp.connect(
        smtp.credentials.parse({ host: '127.0.0.1', port: sink.port, tls: 'none', from: 'a@example.com', ...more }),
        { deposit: async () => undefined },
      );
    const wrong = at({ user: 'user', password: 'wrong' });
    expect((await failure(wrong, 'x@example.com')).kind).toBe('misconfigured');
    await expect(wrong.verify({ signal: AbortSignal.timeout(3_000) })).rejects.toMatchObject({ kind: 'misconfigured' });
    await sink.close();
    expect((await failure(at({}), 'x@example.com')).kind).toBe('transient');
    await wrong.close?.();
  });
});
