// An SMTP server that stops responding, at each step of a session. A message of an aborted send must not arrive later.

import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ProviderError } from '#domain';
import { type SmtpSink, type SmtpStep, startSmtpSink, until } from '#testing';
import type { Connection, ProviderMessage } from '../define-provider.js';
import { EgressGuard } from '../http/egress-guard.js';
import { VendorHttp } from '../http/vendor-http.js';
import { smtp } from './smtp.provider.js';

const PASSWORD = 'a-secret-password-1234';
const longDeadline = (): AbortSignal => AbortSignal.timeout(10_000);
const shortDeadline = (): AbortSignal => AbortSignal.timeout(500);
const SENDS = 10;

const open: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

function connectTo(port: number, more: Record<string, unknown> = {}): Connection {
  const guard = new EgressGuard(['127.0.0.0/8']);
  const account = { host: '127.0.0.1', port, tls: 'none', from: 'Carillon <carillon@example.com>', ...more };
  const connection = smtp.connect(smtp.credentials.parse(account), {
    guard,
    http: new VendorHttp(guard),
    deposit: async () => undefined,
    receiptsUrl: null,
  });
  open.push(() => connection.close?.());
  return connection;
}

const mail = (to: string, text = 'Hello'): ProviderMessage => ({
  tenantId: 't',
  notificationId: 'n',
  deliveryId: 'd',
  recipientId: 'r',
  attempt: 1,
  channel: 'email',
  to,
  content: { subject: 'Hello', text },
});

async function outcome(connection: Connection, to: string, signal: AbortSignal, text?: string): Promise<string> {
  return await connection.send(mail(to, text), { signal, idempotencyKey: 'd:1' }).then(
    () => 'sent',
    (error: unknown) => (error instanceof ProviderError ? `${error.kind} ${error.code}` : String(error)),
  );
}

const recipients = (sink: SmtpSink): string[] => sink.log.flatMap(({ to }) => to);

describe('an SMTP server that stops responding', () => {
  it.each<[SmtpStep, string]>([
    ['greeting', 'Hello'],
    ['login', 'Hello'],
    ['sender', 'Hello'],
    ['recipient', 'Hello'],
    // Larger than the socket buffers of both ends.
    ['body', 'Hello, hello, hello, hello, hello.\n'.repeat(400_000)],
  ])('at the %s gets nothing later of ten aborted sends, and none of them counts as sent', async (step, text) => {
    const sink = await startSmtpSink({ user: 'user', password: PASSWORD });
    open.push(() => sink.close());
    const connection = connectTo(sink.port, { user: 'user', password: PASSWORD });
    sink.holdAt(step);
    const outcomes = await Promise.all(
      Array.from({ length: SENDS }, (_, n) => outcome(connection, `late${n}@example.com`, shortDeadline(), text)),
    );
    sink.release();
    expect(await outcome(connection, 'last@example.com', longDeadline())).toBe('sent');
    expect(recipients(sink)).toEqual(['last@example.com']);
    expect(outcomes).toEqual(Array.from({ length: SENDS }, () => 'transient deadline'));
    await until('the connections of aborted sends are closed', () => sink.connections() === 1);
  });

  it('after the message leaves its outcome unknown, and the connection is not used again', async () => {
    const sink = await startSmtpSink();
    open.push(() => sink.close());
    const connection = connectTo(sink.port);
    sink.answerData('hang');
    const deadline = new AbortController();
    const sends = Array.from({ length: SENDS }, (_, n) => outcome(connection, `late${n}@example.com`, deadline.signal));
    await until('the server has as many as there are connections', () => sink.log.length === SENDS / 2);
    deadline.abort();
    const outcomes = await Promise.all(sends);
    // One send for each connection; the others have not begun.
    expect(outcomes.toSorted()).toEqual([
      ...Array.from({ length: SENDS / 2 }, () => 'transient deadline'),
      ...Array.from({ length: SENDS / 2 }, () => 'unknown deadline'),
    ]);
    const arrived = recipients(sink).length;
    sink.answerData(null);
    sink.release();
    expect(await outcome(connection, 'last@example.com', longDeadline())).toBe('sent');
    expect(recipients(sink)).toHaveLength(arrived + 1);
    await until('the connections of aborted sends are closed', () => sink.connections() === 1);
  });

  it('in the TLS handshake gets nothing, and the connection is closed', async () => {
    for (const tls of ['implicit', 'starttls']) {
      const silent = await startSilentServer(tls === 'starttls');
      const connection = connectTo(silent.port, { tls });
      expect(await outcome(connection, 'someone@example.com', shortDeadline())).toBe('transient deadline');
      await until('the connection is closed', () => silent.sockets.size === 0);
    }
  });

  it('and recovers gets the next message over a new connection if it closed the old one', async () => {
    const sink = await startSmtpSink();
    open.push(() => sink.close());
    const connection = connectTo(sink.port);
    expect(await outcome(connection, 'one@example.com', longDeadline())).toBe('sent');
    sink.drop();
    expect(await outcome(connection, 'two@example.com', longDeadline())).toBe('sent');
    expect(recipients(sink)).toEqual(['one@example.com', 'two@example.com']);
  });
});

/** A server that sends nothing, or greets, offers STARTTLS and then sends nothing more. */
async function startSilentServer(greets: boolean): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.resume();
    if (!greets) return;
    socket.write('220 silent\r\n');
    socket.on('data', (data) => {
      if (data.toString().startsWith('EHLO')) socket.write('250-silent\r\n250 STARTTLS\r\n');
      else if (data.toString().startsWith('STARTTLS')) socket.write('220 go ahead\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}
