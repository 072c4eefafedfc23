// A vendor with the protocol of Postmark. It counts the messages to each address, and reports each as delivered.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

const PASSWORD = 'password-of-the-receipts';
/** The first send to an address with this word is refused, so that it is tried again. */
export const FIRST_FAILS = 'first-fails';

export interface Vendor {
  credentials: Record<string, string>;
  /** How many messages were accepted, by the address. */
  accepted: Map<string, number>;
  /** The answers to receipts, a status or the error of a request, with their number. */
  receipts: Map<string, number>;
  /** Sends the receipts to these URLs in turn. */
  reportTo(urls: readonly string[]): void;
  close(): void;
}

interface Message {
  To: string;
  Metadata: Record<string, string>;
}

export async function startVendor(): Promise<Vendor> {
  const accepted = new Map<string, number>();
  const receipts = new Map<string, number>();
  const refused = new Set<string>();
  let urls: readonly string[] = [];
  let turn = 0;
  const report = async ({ Metadata }: Message): Promise<void> => {
    const url = urls[turn++ % urls.length] as string;
    const authorization = `Basic ${Buffer.from(`carillon:${PASSWORD}`).toString('base64')}`;
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', authorization },
      body: JSON.stringify({ RecordType: 'Delivery', Metadata }),
    }).then(({ status }) => String(status), String);
    receipts.set(answer, (receipts.get(answer) ?? 0) + 1);
  };
  const server = createServer(async (request, response) => {
    const message = JSON.parse(await bodyOf(request)) as Message;
    if (message.To.includes(FIRST_FAILS) && !refused.has(message.To)) {
      refused.add(message.To);
      response.writeHead(503).end('{}');
      return;
    }
    accepted.set(message.To, (accepted.get(message.To) ?? 0) + 1);
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ ErrorCode: 0, Message: 'OK', MessageID: randomUUID() }));
    await report(message);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    credentials: { server_token: 'token', from: 'from@example.com', webhook_password: PASSWORD, endpoint },
    accepted,
    receipts,
    reportTo: (given) => {
      urls = given;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
