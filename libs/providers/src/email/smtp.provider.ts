// Codes: RFC 5321 (replies), RFC 3463 (enhanced status codes), and what large servers make of them.

import type { Readable } from 'node:stream';
import nodemailer from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool/index.js';
import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, type ProviderMessage, secret } from '../define-provider.js';
import { EgressRefused } from '../http/egress-guard.js';
import { beforeDeadline, UNTRUSTED } from '../http/vendor-http.js';
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
      // A send that is given up closes its connection at once: a polite close would first write what is still buffered.
      socketCloseTimeout: 0,
      // A pooled connection that the server has closed meanwhile is replaced once, before anything of the message was written.
      maxRequeues: 1,
      disableFileAccess: true,
      disableUrlAccess: true,
    };
    const transport = nodemailer.createTransport(options);
    transport.use('stream', (mail, done) => {
      mail.message.processFunc((stream) => {
        (mail.data as Mail).onStream(stream);
        return stream;
      });
      done();
    });
    return {
      maxInFlight: CONNECTIONS,
      async send(message, { signal, idempotencyKey }) {
        let stream: Readable | undefined;
        const mail: Mail = {
          ...toMail(message, account.from, idempotencyKey),
          // nodemailer takes a message whose signal aborts from its queue, and closes the connection that is sending it.
          signal,
          onStream: (opened) => {
            stream = opened;
          },
        };
        const sent = await transport.sendMail(mail).catch((error: SmtpError) => {
          // It is read after the server's reply to DATA. Only its end is followed by the dot that makes it a message.
          throw toProviderError(error, stream?.readableEnded === true);
        });
        return { messageId: sent.messageId };
      },
      async verify({ signal }) {
        // nodemailer takes no signal here; nothing but a greeting is on its way.
        await beforeDeadline(signal, transport.verify()).catch((error: SmtpError) => {
          throw toProviderError(error, false);
        });
      },
      async close() {
        transport.close();
      },
    };
  },
});

/** A message for nodemailer. `onStream` is called with its bytes, for each connection that it is offered to. */
type Mail = SMTPPool.MailOptions & { onStream(stream: Readable): void };

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
  /** What the socket said, where nodemailer has a code of its own for it. */
  originalCode?: string;
}

/** `written`: whether the message was written to its end, so that the server may have accepted it. */
function toProviderError(error: SmtpError, written: boolean): ProviderError {
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
    case 'EABORT':
      return written
        ? new ProviderError('unknown', 'The server did not answer before the deadline', { code: 'deadline' })
        : new ProviderError('transient', 'The deadline was over before the message was written', { code: 'deadline' });
    case 'EAUTH':
      return new ProviderError('misconfigured', 'The server refused the credentials', { code: 'EAUTH' });
    case 'EENVELOPE':
      return new ProviderError('bad_address', 'The address cannot be put into an envelope', { code: 'EENVELOPE' });
    case 'ETLS':
      return new ProviderError('misconfigured', 'No TLS could be agreed with the server', { code: 'ETLS' });
    case 'EDNS':
      return new ProviderError('transient', 'The host was not found', { code: 'EDNS' });
    default:
      return written
        ? new ProviderError('unknown', 'The connection ended without a reply', { code: error.code ?? null })
        : new ProviderError('transient', `The connection failed (${error.code ?? error.message})`, {
            code: error.code ?? null,
          });
  }
}

/** `550-5.1.1 text` and `550 5.1.1 text` alike; `550 text` without an enhanced code keeps a blank after the number. */
function normalise(reply: string): string {
  return reply.replace(/^(\d{3})[- ]/, '$1 ');
}
