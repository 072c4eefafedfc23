// What Amazon SNS posts: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. The known validators were
// looked at and left: forty lines, a pinned host and version 2 only (docs/adr/0011).

import { createVerify, X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type ReceiptCall, ReceiptRefused } from '../define-provider.js';
import type { VendorHttp } from '../http/vendor-http.js';

const CONFIRMATION_FIELDS = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'] as const;
const NOTIFICATION_FIELDS = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'] as const;
const HOST = /^sns\.[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?$/;

const envelope = z.looseObject({
  Type: z.enum(['Notification', 'SubscriptionConfirmation', 'UnsubscribeConfirmation']),
  Message: z.string(),
  MessageId: z.string(),
  Subject: z.string().nullish(),
  SubscribeURL: z.string().optional(),
  Timestamp: z.string(),
  Token: z.string().optional(),
  TopicArn: z.string(),
  SignatureVersion: z.literal('2', { error: 'set the signature version of the topic to 2' }),
  Signature: z.string(),
  SigningCertURL: z.string(),
});
type Envelope = z.infer<typeof envelope>;

export interface SnsAccount {
  topic_arn?: string | undefined;
  /** Where a test keeps its certificate. Refused in production with the account. */
  endpoint?: string | undefined;
}

/** Certificates by the account's endpoint and their address, which is new for each. */
const certificates = new LRUCache<string, X509Certificate>({ max: 20, ttl: 86_400_000 });

/**
 * What the topic says: the message, parsed; null for a confirmation, which is followed. Throws {@link ReceiptRefused} for a wrong
 * signature, another topic, or a certificate from elsewhere.
 */
export async function notificationOf(call: ReceiptCall, account: SnsAccount, http: VendorHttp): Promise<unknown> {
  const parsed = envelope.safeParse(objectOf(call.body));
  if (!parsed.success) throw new ReceiptRefused(`Not a message of SNS: ${parsed.error.issues[0]!.message}`);
  const message = parsed.data;
  if (!account.topic_arn || message.TopicArn !== account.topic_arn)
    throw new ReceiptRefused(`The topic ${message.TopicArn} is not the topic_arn of this account`);
  const certificate = await certificateAt(message.SigningCertURL, account, http, call);
  const fields = message.Type === 'Notification' ? NOTIFICATION_FIELDS : CONFIRMATION_FIELDS;
  const good = createVerify('RSA-SHA256')
    .update(signedText(message, fields))
    .verify(certificate.publicKey, message.Signature, 'base64');
  if (!good) throw new ReceiptRefused('The signature is not that of SNS');
  if (message.Type === 'Notification') return objectOf(message.Message);
  if (message.Type === 'SubscriptionConfirmation') {
    const answer = await http.ask({
      method: 'GET',
      url: pinned(message.SubscribeURL ?? '', account),
      signal: call.signal,
    });
    if (!answer.ok) throw new Error(`SNS answered ${answer.status} to the confirmation`);
  }
  return null;
}

function signedText(message: Envelope, fields: readonly (keyof Envelope)[]): string {
  return fields
    .filter((field) => message[field] !== undefined && message[field] !== null)
    .map((field) => `${field}\n${message[field]}\n`)
    .join('');
}

async function certificateAt(
  text: string,
  account: SnsAccount,
  http: VendorHttp,
  call: ReceiptCall,
): Promise<X509Certificate> {
  // Whether an address is allowed depends on the account's endpoint, so a hit needs no second check.
  const key = `${account.endpoint ?? ''} ${text}`;
  let certificate = certificates.get(key);
  if (!certificate) {
    const answer = await http.ask({ method: 'GET', url: pinned(text, account), signal: call.signal });
    if (!answer.ok) throw new Error(`SNS answered ${answer.status} to the request for its certificate`);
    certificate = new X509Certificate(answer.text);
    certificates.set(key, certificate);
  }
  const now = Date.now();
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo))
    throw new ReceiptRefused('The certificate is not valid now');
  return certificate;
}

function pinned(text: string, account: SnsAccount): string {
  const url = URL.parse(text);
  const ours = account.endpoint !== undefined && url?.origin === new URL(account.endpoint).origin;
  if (!url || !(ours || (url.protocol === 'https:' && HOST.test(url.host))))
    throw new ReceiptRefused(`The host of ${text.slice(0, 200)} is not that of SNS`);
  return url.href;
}

function objectOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
