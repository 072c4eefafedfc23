// Codes: RFC 5321 (replies), RFC 3463 (enhanced status codes), and what large servers make of them.

import nodemailer from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool/index.js';
import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, type ProviderMessage, secret } from '../define-provider.js';
import { EgressRefused } from '../http/egress-guard.js';
import { UNTRUSTED } from '../http/vendor-http.js';
import { emailOf, partsOf, sender } from './email.js';

const CONNECTIONS = 5;
const CONNECT_MS = 8_000;
const MESSAGES_PER_CONNECTION = 100;

const credentials = z.strictObject({
  host: z.string().min(1).max(255).meta({ description: 'The server, such as smtp.example.com' }),
  port: z.int().min(1).max(65_535).default(587),
  tls: z.enum(['starttls', 'implicit', 'none']).default('starttls').meta({
    description:
      'starttls: required upgrade; implicit: TLS from the first byte (port 465); none: only for a server on your own machine',
  }),
  user: z.string().max(255).optional(),
  password: secret('The password of the user').optional(),
  from: sender,
});

/** Reply code and enhanced status → kind; the first line that fits. */
const codes: readonly { pattern: RegExp; kind: ProviderErrorKind }[] = [
  { pattern: /^(530|534|535|538)/, kind: 'misconfigured' },
  { pattern: /^(454|421 4\.7)/, kind: 'throttled' },
  { pattern: /^55[03] 5\.1\.(1|2|3|6|10)/, kind: 'bad_address' },
  { pattern: /^553/, kind: 'bad_address' },
  { pattern: /^(550|551) (?!5\.7|5\.6)/, kind: 'bad_address' },
  { pattern: /^(552|554|55\d 5\.[67])/, kind: 'rejected' },
  { pattern: /^4/, kind: 'transient' },
  { pattern: /^5/, kind: 'rejected' },
];

export const smtp = defineProvider({
  id: 'smtp',
  name: 'SMTP',
  channels: ['email'],
  credentials,
  connect: (account, { guard }) => {
    const options: SMTPPool.Options = {
      pool: true,
      maxConnections: CONNECTIONS,
      maxMessages: MESSAGES_PER_CONNECTION,
      host: account.host,
      port: account.port,
      secure: account.tls === 'implicit',
      requireTLS: account.tls === 'starttls',
      ignoreTLS: account.tls === 'none',
      ...(account.user !== undefined && { auth: { user: account.user, pass: account.password ?? '' } }),
      connectionTimeout: CONNECT_MS,
      getSocket: (_options, callback) => {
        guard.dial(account.host, account.port, CONNECT_MS).then(
          (connection) => callback(null, { connection }),
          (error: Error) => callback(error, false),
        );
      },
      greetingTimeout: 8_000,
      socketTimeout: 30_000,
      disableFileAccess: true,
      disableUrlAccess: true,
    };
    const transport = nodemailer.createTransport(options);
    return {
      maxInFlight: CONNECTIONS,
      async send(message, { signal, idempotencyKey }) {
        const mail = toMail(message, account.from, idempotencyKey);
        const sent = await withSignal(signal, transport.sendMail(mail)).catch((error: SmtpError) => {
          throw toProviderError(error);
        });
        return { messageId: sent.messageId };
      },
      async verify({ signal }) {
        await withSignal(signal, transport.verify()).catch((error: SmtpError) => {
          throw toProviderError(error);
        });
      },
      async close() {
        transport.close();
      },
    };
  },
});

function toMail(message: ProviderMessage, from: string, idempotencyKey: string) {
  const mail = emailOf(message, from);
  const domain = partsOf(mail.from).address.split('@')[1] ?? 'carillon.invalid';
  return {
    from: mail.from,
    to: { name: '', address: mail.to },
    ...(mail.replyTo && { replyTo: mail.replyTo }),
    subject: mail.subject,
    text: mail.text,
    ...(mail.html !== undefined && { html: mail.html }),
    // The same id when the same attempt is made twice: the one thing a receiving server can de-duplicate by.
    messageId: `<${idempotencyKey.replace(':', '.')}@${domain}>`,
    headers: mail.headers,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

interface SmtpError extends Error {
  code?: string;
  response?: string;
  responseCode?: number;
  syscall?: string;
  /** What the socket said, where nodemailer has a code of its own for it. */
  originalCode?: string;
}

/**
 * nodemailer makes no tries of its own.
 */
function toProviderError(error: SmtpError): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof EgressRefused)
    return new ProviderError('misconfigured', error.message, { code: 'forbidden_address' });
  if (error.responseCode) {
    const reply = error.response ?? String(error.responseCode);
    const kind = codes.find(({ pattern }) => pattern.test(normalise(reply)))?.kind ?? 'transient';
    return new ProviderError(kind, reply.slice(0, 500), { code: normalise(reply).split(' ').slice(0, 2).join(' ') });
  }
  if (UNTRUSTED.test(error.originalCode ?? ''))
    return new ProviderError('misconfigured', `The certificate of the server is not trusted (${error.originalCode})`, {
      code: error.originalCode!,
    });
  switch (error.code) {
    case 'EAUTH':
      return new ProviderError('misconfigured', 'The server refused the credentials', { code: 'EAUTH' });
    case 'EENVELOPE':
      return new ProviderError('bad_address', 'The address cannot be put into an envelope', { code: 'EENVELOPE' });
    case 'ETLS':
      return new ProviderError('misconfigured', 'No TLS could be agreed with the server', { code: 'ETLS' });
    case 'EDNS':
      return new ProviderError('transient', 'The host was not found', { code: 'EDNS' });
    default:
      return nothingSent(error)
        ? new ProviderError('transient', `The connection failed (${error.code ?? error.message})`, {
            code: error.code ?? null,
          })
        : new ProviderError('unknown', 'The connection ended without a reply', { code: error.code ?? null });
  }
}

/**
 * Whether the connection failed before it stood. What ends later may have ended after the message was written: nodemailer
 * does not tell how far it had come, so that is unknown, even where a pooled connection had merely gone stale.
 */
function nothingSent(error: SmtpError): boolean {
  return (
    error.syscall === 'connect' ||
    error.syscall === 'getaddrinfo' ||
    /^(Connection timeout|Greeting never received)/.test(error.message)
  );
}

/** `550-5.1.1 text` and `550 5.1.1 text` alike; `550 text` without an enhanced code keeps a blank after the number. */
function normalise(reply: string): string {
  return reply.replace(/^(\d{3})[- ]/, '$1 ');
}

/** Cuts the wait off at the deadline. The message may have been written by then. */
function withSignal<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void =>
      reject(new ProviderError('unknown', 'The server did not answer before the deadline', { code: 'deadline' }));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
