// The receipts that vendors post, with their signatures.

import { createHmac, createSign, generateKeyPairSync, randomUUID, sign as signBytes } from 'node:crypto';
import { generate } from 'selfsigned';
import { Webhook } from 'standardwebhooks';

export type ReportKind = 'delivered' | 'bounced' | 'complained' | 'opened';

/** The vendor's call. */
export interface Report {
  headers: Record<string, string>;
  body: string;
}

export interface ReportOptions {
  credentials: Record<string, unknown>;
  /** The `receipts_url` of the account. */
  url: string;
  tenantId: string;
  deliveryId: string;
  /** The signed time, for vendors that sign one. Default: now. */
  signedAt?: Date;
}

/** Creates and signs the reports of one vendor. */
export interface Reporter {
  kinds: readonly ReportKind[];
  /** The URL of the call, if it depends on the delivery. */
  urlOf?: (options: ReportOptions) => string;
  report: (kind: ReportKind, options: ReportOptions) => Report;
}

const secondsOf = (time: Date): string => String(Math.floor(time.getTime() / 1_000));
const json = { 'content-type': 'application/json' };
const reference = ({ tenantId, deliveryId }: ReportOptions): string => `${tenantId}.${deliveryId}`;

const { private: snsKey, cert: snsCertificate } = await generate([{ name: 'commonName', value: 'sns.amazonaws.com' }], {
  keySize: 2_048,
});
/** A key and a certificate that is not trusted. */
export const UNTRUSTED_TLS = { key: snsKey, cert: snsCertificate };
/** The certificate that the fake SNS serves. */
export const SNS_CERTIFICATE = snsCertificate;

/** An SNS message with signature version 2 and the certificate at the account's endpoint. */
export function snsReport(
  type: 'Notification' | 'SubscriptionConfirmation',
  message: string,
  credentials: Record<string, unknown>,
  signedAt = new Date(),
): Report {
  const endpoint = String(credentials['endpoint']);
  const fields: Record<string, string> = {
    Type: type,
    MessageId: randomUUID(),
    TopicArn: String(credentials['topic_arn']),
    Message: message,
    Timestamp: signedAt.toISOString(),
    ...(type === 'SubscriptionConfirmation' && {
      SubscribeURL: `${endpoint}/?Action=ConfirmSubscription`,
      Token: 'token',
    }),
  };
  const signed = Object.keys(fields)
    .sort()
    .map((name) => `${name}\n${fields[name]}\n`)
    .join('');
  return {
    headers: { 'content-type': 'text/plain; charset=UTF-8', 'x-amz-sns-message-type': type },
    body: JSON.stringify({
      ...fields,
      SignatureVersion: '2',
      Signature: createSign('RSA-SHA256').update(signed).sign(snsKey, 'base64'),
      SigningCertURL: `${endpoint}/SimpleNotificationService-0123.pem`,
    }),
  };
}

const SES_EVENTS: Record<ReportKind, object> = {
  delivered: { eventType: 'Delivery', delivery: { recipients: ['x@example.com'] } },
  bounced: {
    eventType: 'Bounce',
    bounce: {
      bounceType: 'Permanent',
      bounceSubType: 'General',
      bouncedRecipients: [
        { emailAddress: 'x@example.com', status: '5.1.1', diagnosticCode: 'smtp; 550 5.1.1 no such user' },
      ],
    },
  },
  complained: { eventType: 'Complaint', complaint: { complaintFeedbackType: 'abuse', complainedRecipients: [] } },
  opened: { eventType: 'Open', open: {} },
};

const { privateKey: sendgridKey, publicKey: sendgridPublic } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** The verification key that SendGrid shows. */
export const SENDGRID_PUBLIC_KEY = sendgridPublic.export({ format: 'der', type: 'spki' }).toString('base64');

const SENDGRID_EVENTS: Record<ReportKind, string> = {
  delivered: 'delivered',
  bounced: 'bounce',
  complained: 'spamreport',
  opened: 'open',
};

/** SendGrid batches events: a thousand and more in one call, up to 768 kB. */
export function sendgridReport(
  events: readonly { kind: ReportKind; tenantId: string; deliveryId: string }[],
  signedAt = new Date(),
): Report {
  const body = JSON.stringify(
    events.map(({ kind, tenantId, deliveryId }) => ({
      email: 'someone@example.com',
      timestamp: 1_513_299_569,
      'smtp-id': `<${deliveryId}@ismtpd-555>`,
      event: SENDGRID_EVENTS[kind],
      category: ['cat facts'],
      sg_event_id: randomUUID(),
      sg_message_id: `14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0`,
      carillon: `${tenantId}.${deliveryId}`,
      ...(kind === 'bounced' && { type: 'bounce', reason: '550 no such user' }),
    })),
  );
  const timestamp = secondsOf(signedAt);
  return {
    headers: {
      ...json,
      'x-twilio-email-event-webhook-timestamp': timestamp,
      'x-twilio-email-event-webhook-signature': signBytes(
        'sha256',
        Buffer.from(timestamp + body),
        sendgridKey,
      ).toString('base64'),
    },
    body,
  };
}

export const reporters: Readonly<Record<string, Reporter>> = {
  ses: {
    kinds: ['delivered', 'bounced', 'complained', 'opened'],
    report: (kind, { credentials, tenantId, deliveryId, signedAt }) => {
      const tags = { 'carillon-tenant': [tenantId], 'carillon-delivery': [deliveryId] };
      return snsReport(
        'Notification',
        JSON.stringify({ ...SES_EVENTS[kind], mail: { messageId: 'm', tags } }),
        credentials,
        signedAt,
      );
    },
  },
  twilio: {
    kinds: ['delivered', 'bounced'],
    urlOf: (options) => `${options.url}?reference=${reference(options)}`,
    report: (kind, options) => {
      const fields: Record<string, string> = {
        MessageSid: 'SM0123',
        AccountSid: String(options.credentials['account_sid']),
        MessageStatus: kind === 'delivered' ? 'delivered' : 'undelivered',
        ...(kind === 'bounced' && { ErrorCode: '30005' }),
      };
      const url = `${options.url}?reference=${reference(options)}`;
      const signed = Object.keys(fields)
        .sort()
        .reduce((text, name) => text + name + fields[name], url);
      const signature = createHmac('sha1', String(options.credentials['auth_token'])).update(signed).digest('base64');
      return {
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature },
        body: new URLSearchParams(fields).toString(),
      };
    },
  },
  resend: {
    kinds: ['delivered', 'bounced', 'complained', 'opened'],
    report: (kind, options) => {
      const bounce = kind === 'bounced' && {
        bounce: { type: 'Permanent', subType: 'General', message: 'no such user' },
      };
      const tags = { carillon: reference(options).replace('.', '_') };
      const body = JSON.stringify({ type: `email.${kind}`, data: { email_id: 'm', tags, ...bounce } });
      const [id, at] = [`msg_${randomUUID()}`, options.signedAt ?? new Date()];
      const signature = new Webhook(String(options.credentials['webhook_secret'])).sign(id, at, body);
      const timestamp = secondsOf(at);
      return { headers: { ...json, 'svix-id': id, 'svix-timestamp': timestamp, 'svix-signature': signature }, body };
    },
  },
  sendgrid: {
    kinds: ['delivered', 'bounced', 'complained', 'opened'],
    report: (kind, options) => sendgridReport([{ kind, ...options }], options.signedAt),
  },
  postmark: {
    kinds: ['delivered', 'bounced', 'complained', 'opened'],
    report: (kind, options) => {
      const type = { delivered: 'Delivery', bounced: 'Bounce', complained: 'SpamComplaint', opened: 'Open' }[kind];
      const body = JSON.stringify({
        RecordType: type,
        Type: 'HardBounce',
        Description: 'no such user',
        Metadata: { carillon: reference(options) },
      });
      const password = String(options.credentials['webhook_password']);
      return {
        headers: { ...json, authorization: `Basic ${Buffer.from(`carillon:${password}`).toString('base64')}` },
        body,
      };
    },
  },
  mailgun: {
    kinds: ['delivered', 'bounced', 'complained', 'opened'],
    report: (kind, options) => {
      const event = { delivered: 'delivered', bounced: 'failed', complained: 'complained', opened: 'opened' }[kind];
      const [timestamp, token] = [secondsOf(options.signedAt ?? new Date()), randomUUID()];
      const key = String(options.credentials['webhook_signing_key']);
      const signature = createHmac('sha256', key)
        .update(timestamp + token)
        .digest('hex');
      const data = {
        event,
        severity: 'permanent',
        'delivery-status': { message: '550 no such user' },
        'user-variables': { carillon: reference(options) },
      };
      return {
        headers: json,
        body: JSON.stringify({ signature: { timestamp, token, signature }, 'event-data': data }),
      };
    },
  },
  brevo: {
    kinds: ['delivered', 'bounced', 'complained', 'opened'],
    report: (kind, options) => {
      const event = { delivered: 'delivered', bounced: 'hard_bounce', complained: 'spam', opened: 'unique_opened' }[
        kind
      ];
      const body = JSON.stringify({ event, reason: '550 no such user', 'X-Mailin-custom': reference(options) });
      return { headers: { ...json, authorization: `Bearer ${options.credentials['webhook_token']}` }, body };
    },
  },
  vonage: {
    kinds: ['delivered', 'bounced'],
    report: (kind, options) => {
      const text = reference(options);
      const key = String(options.credentials['webhook_secret']);
      const seal = createHmac('sha256', key).update(text).digest('base64url').slice(0, 26);
      const [status, code] = kind === 'delivered' ? ['delivered', '0'] : ['failed', '9'];
      const body = JSON.stringify({ messageId: 'm', status, 'err-code': code, 'client-ref': `${text}.${seal}` });
      return { headers: json, body };
    },
  },
};
