// Codes: RFC 5321 (replies), RFC 3463 (enhanced status codes), and their use by large mail servers.

import type { Readable } from 'node:stream';
import nodemailer, { type Transporter } from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool/index.js';
import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, type ProviderMessage, secret } from '../define-provider.js';
import { type EgressGuard, EgressRefused } from '../http/egress-guard.js';
import { beforeDeadline, UNTRUSTED_CERTIFICATE } from '../http/vendor-http.js';
import { emailOf, fromOfContent, partsOf, sender } from './email.js';

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

/** Maps reply code and enhanced status to a kind; the first match counts. */
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
  senderChoice: fromOfContent,
  credentials,
  connect: (account, { guard }) => {
    const transport = createTransport(account, guard);
    return {
      maxInFlight: CONNECTIONS,
      async send(message, { signal, idempotencyKey }) {
        let stream: Readable | undefined;
        const mail: Mail = {
          ...toMail(message, account.from, idempotencyKey),
          // On abort nodemailer removes the message from its queue, or closes the connection that is sending it.
          signal,
          onStream: (opened) => {
            stream = opened;
          },
        };
        const sent = await transport.sendMail(mail).catch((error: SmtpError) => {
          // The stream is read after the server's reply to DATA. The server accepts the message only after its end and
          // the final dot.
          throw toProviderError(error, stream?.readableEnded === true);
        });
        return { messageId: sent.messageId };
      },
      async verify({ signal }) {
        // `verify` takes no signal. It sends no message, so it may continue after the deadline.
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

function createTransport(
  account: z.infer<typeof credentials>,
  guard: EgressGuard,
): Transporter<SMTPPool.SentMessageInfo, SMTPPool.Options> {
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
    // Destroys the connection of an aborted send at once: a graceful close would first write the buffered rest of the
    // message.
    socketCloseTimeout: 0,
    // Replaces a pooled connection that the server has closed once, before any part of the message was written.
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
  return transport;
}

/** A message for nodemailer. `onStream` gets the stream of its bytes, once for each connection that is tried. */
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
    // The same id if the same attempt is made twice, so that the receiving server can detect the duplicate.
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
  /** The code of the socket's error, if nodemailer replaced it by its own. */
  originalCode?: string;
}

/** `written`: whether the whole message was written, so the server may have accepted it. */
function toProviderError(error: SmtpError, written: boolean): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof EgressRefused)
    return new ProviderError('misconfigured', error.message, { code: 'forbidden_address' });
  if (error.responseCode) {
    const reply = error.response ?? String(error.responseCode);
    const kind = codes.find(({ pattern }) => pattern.test(normalise(reply)))?.kind ?? 'transient';
    return new ProviderError(kind, reply.slice(0, 500), { code: normalise(reply).split(' ').slice(0, 2).join(' ') });
  }
  if (UNTRUSTED_CERTIFICATE.test(error.originalCode ?? ''))
    return new ProviderError('misconfigured', `The certificate of the server is not trusted (${error.originalCode})`, {
      code: error.originalCode!,
    });
  switch (error.code) {
    case 'EABORT':
      return written
        ? new ProviderError('unknown', 'The server did not respond before the deadline', { code: 'deadline' })
        : new ProviderError('transient', 'The deadline passed before the message was written', { code: 'deadline' });
    case 'EAUTH':
      return new ProviderError('misconfigured', 'The server refused the credentials', { code: 'EAUTH' });
    case 'EENVELOPE':
      return new ProviderError('bad_address', 'The address is not valid in an SMTP envelope', { code: 'EENVELOPE' });
    case 'ETLS':
      return new ProviderError('misconfigured', 'The TLS handshake with the server failed', { code: 'ETLS' });
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

/** Replaces the hyphen of a multi-line reply (`550-5.1.1 text`) by a space. */
function normalise(reply: string): string {
  return reply.replace(/^(\d{3})[- ]/, '$1 ');
}
