import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';

export interface Reply {
  code: number;
  message: string;
}

export type SmtpStep = 'greeting' | 'login' | 'sender' | 'recipient' | 'body';

export interface SmtpSink {
  readonly port: number;
  /** Every transaction that reached DATA, oldest first. */
  readonly log: { from: string; to: string[]; raw: Buffer; at: number }[];
  /** Sets the reply to RCPT TO and DATA from now on; null accepts. */
  answerRcpt(reply: Reply | null): void;
  answerData(reply: Reply | 'hang' | 'reset' | null): void;
  /** Stops replying at this step of a session (`body`: does not read the message). Null resumes for new sessions. */
  holdAt(step: SmtpStep | null): void;
  /** Accepts the messages that hang, and replies at every held step. */
  release(): void;
  connections(): number;
  /** Resets all connections. */
  drop(): void;
  close(): Promise<void>;
}

/** An SMTP server on loopback (smtp-server) that logs messages and gives configured replies. */
export async function startSmtpSink(
  options: { user?: string; password?: string; tls?: { key: string; cert: string } } = {},
): Promise<SmtpSink> {
  let rcpt: Reply | null = null;
  let data: Reply | 'hang' | 'reset' | null = null;
  let heldStep: SmtpStep | null = null;
  const held: (() => void)[] = [];
  const at = (step: SmtpStep, go: () => void): void => void (heldStep === step ? held.push(go) : go());
  const log: SmtpSink['log'] = [];
  const sockets = new Set<import('node:net').Socket>();
  const server = new SMTPServer({
    ...(options.tls ? { ...options.tls, secure: true } : { disabledCommands: ['STARTTLS'] }),
    authOptional: options.user === undefined,
    allowInsecureAuth: true,
    logger: false,
    onConnect: (_session, callback) => at('greeting', () => callback(null)),
    onAuth: (auth, _session, callback) =>
      at('login', () =>
        auth.username === options.user && auth.password === options.password
          ? callback(null, { user: auth.username })
          : callback(Object.assign(new Error('5.7.8 wrong'), { responseCode: 535 })),
      ),
    onMailFrom: (_address, _session, callback) => at('sender', () => callback(null)),
    onRcptTo: (_address, _session, callback) => at('recipient', () => callback(rcpt ? refusal(rcpt) : null)),
    onData: (stream: SMTPServerDataStream, session: SMTPServerSession, callback) => {
      const read = new Promise<Buffer>((resolve, reject) => at('body', () => buffer(stream).then(resolve, reject)));
      read.then((raw) => {
        log.push({
          from: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw,
          at: Date.now(),
        });
        if (data === 'hang') {
          held.push(() => callback(null));
          return;
        }
        if (data === 'reset') {
          for (const socket of sockets) socket.resetAndDestroy();
          return;
        }
        callback(data ? refusal(data) : null);
      }, callback);
    },
  });
  server.on('error', () => undefined);
  server.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    log,
    answerRcpt: (reply) => {
      rcpt = reply;
    },
    answerData: (reply) => {
      data = reply;
    },
    holdAt: (step) => {
      heldStep = step;
    },
    connections: () => sockets.size,
    drop: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    release: () => {
      heldStep = null;
      for (const accept of held.splice(0)) accept();
    },
    close: () =>
      new Promise((resolve) => {
        // Node 24 crashes when the socket under a TLS server is destroyed, so there the client must close first.
        if (!options.tls) for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Parses a message of the log. Not done on arrival, because parsing takes longer than sending. */
export function parseMail(raw: Buffer): Promise<ParsedMail> {
  return simpleParser(raw);
}

function refusal({ code, message }: Reply): Error {
  return Object.assign(new Error(message), { responseCode: code });
}
