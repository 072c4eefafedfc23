// Codes: https://docs.aws.amazon.com/ses/latest/APIReference-V2/CommonErrors.html and SendEmail. Receipts come through
// SNS: sns.ts.

import { isIP, type LookupFunction } from 'node:net';
import type { SESv2Client, SESv2ServiceException } from '@aws-sdk/client-sesv2';
import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, type ReceiptEvent, receiptsOf, secret } from '../define-provider.js';
import { type EgressGuard, EgressRefused, withoutBrackets } from '../http/egress-guard.js';
import { kindOfStatus, UNTRUSTED_CERTIFICATE } from '../http/vendor-http.js';
import { emailOf, fromOfContent, sender } from './email.js';
import { notificationOf } from './sns.js';

const MAX_IN_FLIGHT = 50;
const CONNECT_MS = 5_000;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  TooManyRequestsException: 'throttled',
  ThrottlingException: 'throttled',
  Throttling: 'throttled',
  LimitExceededException: 'throttled',
  MessageRejected: 'rejected',
  MailFromDomainNotVerifiedException: 'misconfigured',
  AccountSuspendedException: 'misconfigured',
  SendingPausedException: 'misconfigured',
  NotFoundException: 'misconfigured',
  UnrecognizedClientException: 'misconfigured',
  InvalidClientTokenId: 'misconfigured',
  InvalidSignatureException: 'misconfigured',
  SignatureDoesNotMatch: 'misconfigured',
  ExpiredTokenException: 'misconfigured',
  AccessDeniedException: 'misconfigured',
};

const credentials = z.strictObject({
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as eu-west-1'),
  access_key_id: z.string().min(16).max(128),
  secret_access_key: secret('The secret of the access key'),
  session_token: secret('Where the credentials are temporary').optional(),
  from: sender,
  configuration_set: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional()
    .meta({ description: 'The configuration set whose events go to the topic' }),
  topic_arn: z
    .string()
    .regex(/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+$/, 'must be the ARN of an SNS topic')
    .optional()
    .meta({ description: 'The topic for receipts; its signature version must be 2' }),
  endpoint,
});

export const ses = defineProvider({
  id: 'ses',
  name: 'Amazon SES',
  channels: ['email'],
  senderChoice: fromOfContent,
  credentials,
  connect: (account, { guard }) => {
    // Loads the SDK only for an account that uses it, because it takes much memory.
    const opened = open(account, guard);
    opened.catch(() => undefined);
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const mail = emailOf(message, account.from);
        const { sdk, client } = await opened;
        const command = new sdk.SendEmailCommand({
          FromEmailAddress: mail.from,
          Destination: { ToAddresses: [mail.to] },
          ...(mail.replyTo && { ReplyToAddresses: [mail.replyTo] }),
          Content: {
            Simple: {
              Subject: { Data: mail.subject, Charset: 'UTF-8' },
              Body: {
                Text: { Data: mail.text, Charset: 'UTF-8' },
                ...(mail.html !== undefined && { Html: { Data: mail.html, Charset: 'UTF-8' } }),
              },
              Headers: Object.entries(mail.headers).map(([Name, Value]) => ({ Name, Value })),
            },
          },
          ...(account.configuration_set && { ConfigurationSetName: account.configuration_set }),
          EmailTags: [
            { Name: 'carillon-tenant', Value: message.tenantId },
            { Name: 'carillon-delivery', Value: message.deliveryId },
          ],
        });
        const sent = await client.send(command, { abortSignal: signal }).catch((error: Error) => {
          throw toProviderError(error, signal);
        });
        if (!sent.MessageId)
          throw new ProviderError('unknown', 'SES responded without a message id', { code: 'unreadable_answer' });
        return { messageId: sent.MessageId };
      },
      async verify({ signal }) {
        const { sdk, client } = await opened;
        const found = await client
          .send(new sdk.GetAccountCommand({}), { abortSignal: signal })
          .catch((error: Error) => {
            throw toProviderError(error, signal);
          });
        if (found.SendingEnabled === false)
          throw new ProviderError('misconfigured', 'Sending is disabled for this account', {
            code: 'SendingPaused',
          });
      },
      async close() {
        await opened.then(
          ({ client }) => client.destroy(),
          () => undefined,
        );
      },
    };
  },
  async parseReceipts(call, account, http) {
    const event = (await notificationOf(call, account, http)) as SesEvent | null;
    if (!event) return [];
    const tag = (name: string): string | undefined => event.mail?.tags?.[`carillon-${name}`]?.[0];
    return receiptsOf(`${tag('tenant')}.${tag('delivery')}`, receiptEventOf(event));
  },
});

async function open(
  account: z.infer<typeof credentials>,
  guard: EgressGuard,
): Promise<{ sdk: typeof import('@aws-sdk/client-sesv2'); client: SESv2Client }> {
  const lookup = checkedLookup(account, guard);
  const [sdk, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-sesv2'),
    import('@smithy/node-http-handler'),
  ]);
  const agent = { maxSockets: MAX_IN_FLIGHT, keepAlive: true, lookup };
  const client = new sdk.SESv2Client({
    region: account.region,
    ...(account.endpoint && { endpoint: account.endpoint }),
    credentials: {
      accessKeyId: account.access_key_id,
      secretAccessKey: account.secret_access_key,
      ...(account.session_token && { sessionToken: account.session_token }),
    },
    // One request for each attempt; the retry schedule repeats it.
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ connectionTimeout: CONNECT_MS, httpsAgent: agent, httpAgent: agent }),
  });
  return { sdk, client };
}

/** The SDK has its own HTTP client. Its agents connect only to addresses that the guard accepts. */
function checkedLookup(account: z.infer<typeof credentials>, guard: EgressGuard): LookupFunction {
  const address = account.endpoint ?? `https://email.${account.region}.amazonaws.com`;
  const { protocol, port, hostname } = new URL(address);
  const publicAllowed = guard.allowsPublic(protocol, port);
  const host = withoutBrackets(hostname);
  try {
    // The lookup is not called for a host that is an IP address.
    if (isIP(host) !== 0) guard.check(host, publicAllowed);
  } catch (error) {
    throw refusedBy(error as EgressRefused);
  }
  return guard.lookup(publicAllowed);
}

function refusedBy({ message }: EgressRefused): ProviderError {
  return new ProviderError('misconfigured', message, { code: 'forbidden_address' });
}

interface SesEvent {
  eventType?: string;
  mail?: { tags?: Record<string, string[]> };
  bounce?: {
    bounceType?: string;
    bounceSubType?: string;
    bouncedRecipients?: { diagnosticCode?: string; status?: string }[];
  };
  complaint?: { complaintFeedbackType?: string };
  reject?: { reason?: string };
  failure?: { errorMessage?: string };
}

/** https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html */
function receiptEventOf(event: SesEvent): ReceiptEvent | null {
  switch (event.eventType) {
    case 'Delivery':
      return { kind: 'delivered', detail: null };
    case 'Open':
      return { kind: 'opened', detail: null };
    case 'Complaint':
      return { kind: 'complained', detail: event.complaint?.complaintFeedbackType ?? null, suppress: 'complained' };
    case 'Bounce': {
      // SES itself retries after Transient and Undetermined bounces.
      if (event.bounce?.bounceType !== 'Permanent') return null;
      const [first] = event.bounce.bouncedRecipients ?? [];
      return {
        kind: 'bounced',
        detail: first?.diagnosticCode ?? first?.status ?? event.bounce.bounceSubType ?? null,
        suppress: 'bounced',
      };
    }
    case 'Reject':
      return { kind: 'bounced', detail: event.reject?.reason ?? 'rejected' };
    case 'Rendering Failure':
      return { kind: 'bounced', detail: event.failure?.errorMessage ?? 'rendering failure' };
    default:
      return null;
  }
}

interface NetworkError extends Error {
  code?: string;
  syscall?: string;
}

function toProviderError(error: NetworkError | SESv2ServiceException, signal: AbortSignal): ProviderError {
  if (error instanceof EgressRefused) return refusedBy(error);
  if ('$metadata' in error && '$fault' in error && error.$metadata.httpStatusCode) {
    const { $metadata: metadata, name, message } = error;
    const aboutAddress =
      name === 'BadRequestException' &&
      /illegal address|missing final|local part|domain (name )?(contains|missing)/i.test(message);
    const kind = aboutAddress ? 'bad_address' : (codes[name] ?? kindOfStatus(metadata.httpStatusCode!));
    const wait = Number(error.$response?.headers?.['retry-after'] ?? NaN);
    return new ProviderError(kind, message.slice(0, 500), {
      code: name,
      retryAfterSeconds: Number.isNaN(wait) ? null : wait,
    });
  }
  const { code, syscall } = error as NetworkError;
  if (syscall === 'connect' || syscall === 'getaddrinfo' || (code && UNTRUSTED_CERTIFICATE.test(code)))
    return new ProviderError('transient', `No connection was made (${code})`, { code: code ?? null });
  if (signal.aborted)
    return new ProviderError('unknown', 'SES did not respond before the deadline', { code: 'deadline' });
  return new ProviderError('unknown', `The connection ended without a response (${code ?? error.name})`, {
    code: code ?? error.name,
  });
}
