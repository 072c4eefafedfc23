// Messages of Amazon SNS: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. Checks
// signature version 2 only, and pins the host of the certificate. Reasons against the known validators: docs/adr/0011.

import { createVerify, X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type ReceiptCall, ReceiptRefused } from '../define-provider.js';
import { checkAge } from '../http/signatures.js';
import type { VendorHttp } from '../http/vendor-http.js';

const CONFIRMATION_FIELDS = ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'] as const;
const NOTIFICATION_FIELDS = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'] as const;
/**
 * SNS repeats a message over HTTPS for one hour at most, with the time at which it was published
 * (https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html).
 */
const MAX_AGE_SECONDS = 2 * 3_600;
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
  /** The address of a test's certificate. Accounts with an endpoint are refused in production. */
  endpoint?: string | undefined;
}

/** Certificates by endpoint and URL. SNS uses a new URL for each new certificate. */
const certificates = new LRUCache<string, X509Certificate>({ max: 20, ttl: 86_400_000 });

/**
 * Verifies a message of the account's topic and returns its parsed content. Confirms a subscription and returns null.
 * Throws {@link ReceiptRefused} for a wrong signature, another topic, or a certificate from another host.
 */
export async function notificationOf(call: ReceiptCall, account: SnsAccount, http: VendorHttp): Promise<unknown> {
  const parsed = envelope.safeParse(parseJson(call.body));
  if (!parsed.success) throw new ReceiptRefused(`Not an SNS message: ${parsed.error.issues[0]!.message}`);
  const message = parsed.data;
  if (!account.topic_arn || message.TopicArn !== account.topic_arn)
    throw new ReceiptRefused(`The topic ${message.TopicArn} is not the topic_arn of this account`);
  // Before the certificate is fetched. The signature covers the time.
  checkAge(Date.parse(message.Timestamp), MAX_AGE_SECONDS);
  const certificate = await certificateAt(message.SigningCertURL, account, http, call);
  const fields = message.Type === 'Notification' ? NOTIFICATION_FIELDS : CONFIRMATION_FIELDS;
  const isValid = createVerify('RSA-SHA256')
    .update(signedText(message, fields))
    .verify(certificate.publicKey, message.Signature, 'base64');
  if (!isValid) throw new ReceiptRefused('The signature does not match the certificate of SNS');
  if (message.Type === 'Notification') return parseJson(message.Message);
  if (message.Type === 'SubscriptionConfirmation') {
    const response = await http.request({
      method: 'GET',
      url: pinned(message.SubscribeURL ?? '', account),
      signal: call.signal,
    });
    if (!response.ok) throw new Error(`SNS responded ${response.status} to the confirmation of the subscription`);
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
  // The endpoint decides which URLs are allowed. It is part of the key, so a cached certificate needs no second check.
  const key = `${account.endpoint ?? ''} ${text}`;
  let certificate = certificates.get(key);
  if (!certificate) {
    const response = await http.request({ method: 'GET', url: pinned(text, account), signal: call.signal });
    if (!response.ok) throw new Error(`SNS responded ${response.status} to the request for its certificate`);
    certificate = new X509Certificate(response.text);
    certificates.set(key, certificate);
  }
  const now = Date.now();
  if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo))
    throw new ReceiptRefused('The certificate has expired or is not valid yet');
  return certificate;
}

function pinned(text: string, account: SnsAccount): string {
  const url = URL.parse(text);
  const isEndpoint = account.endpoint !== undefined && url?.origin === new URL(account.endpoint).origin;
  if (!url || !(isEndpoint || (url.protocol === 'https:' && HOST.test(url.host))))
    throw new ReceiptRefused(`${text.slice(0, 200)} has a host that does not belong to SNS`);
  return url.href;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
