import { randomUUID } from 'node:crypto';
import { commonRefusals, refuses, type VendorDescription } from './http-vendor.js';
import { SENDGRID_PUBLIC_KEY, SNS_CERTIFICATE } from './receipts.js';

const FROM = 'Carillon <carillon@example.com>';
const SECRET = 'a-secret-of-the-account-1234567890';
const TO = 'someone@example.com';

const amazon = (status: number, type: string, message: string) => ({
  status,
  headers: { 'x-amzn-errortype': type },
  body: { message },
});

export const sesVendor: VendorDescription = {
  id: 'ses',
  credentials: (endpoint) => ({
    region: 'eu-west-1',
    access_key_id: 'AKIAABCDEFGHIJKLMNOP',
    secret_access_key: SECRET,
    from: FROM,
    configuration_set: 'carillon',
    topic_arn: 'arn:aws:sns:eu-west-1:123456789012:carillon',
    endpoint,
  }),
  secrets: [SECRET],
  to: TO,
  isSend: ({ path }) => path.startsWith('/v2/email/outbound-emails'),
  accept: () => ({ status: 200, body: { MessageId: `0102018${randomUUID()}` } }),
  other: ({ path }) => ({ status: 200, body: path.endsWith('.pem') ? SNS_CERTIFICATE : { SendingEnabled: true } }),
  refusals: {
    'too many': { kind: 'throttled', reply: amazon(429, 'TooManyRequestsException', 'Too many requests') },
    'over the daily quota': { kind: 'throttled', reply: amazon(400, 'LimitExceededException', 'Daily quota exceeded') },
    'message refused': {
      kind: 'rejected',
      reply: amazon(400, 'MessageRejected', 'Email address is on the suppression list'),
    },
    'domain not verified': {
      kind: 'misconfigured',
      reply: amazon(400, 'MailFromDomainNotVerifiedException', 'not verified'),
    },
    'account suspended': { kind: 'misconfigured', reply: amazon(400, 'AccountSuspendedException', 'suspended') },
    'no such configuration set': {
      kind: 'misconfigured',
      reply: amazon(404, 'NotFoundException', 'Configuration set does not exist'),
    },
    'wrong key': {
      kind: 'misconfigured',
      reply: amazon(403, 'UnrecognizedClientException', 'The security token is invalid'),
    },
    'illegal address': { kind: 'bad_address', reply: amazon(400, 'BadRequestException', 'Illegal address') },
    'bad request': { kind: 'rejected', reply: amazon(400, 'BadRequestException', 'Subject too long') },
    'out of order': { kind: 'transient', reply: amazon(503, 'ServiceUnavailable', 'try later') },
  },
};

const resendError = (status: number, name: string) => ({
  status,
  body: { statusCode: status, name, message: `refused: ${name}` },
});

export const resendVendor: VendorDescription = {
  id: 'resend',
  credentials: (endpoint) => ({
    api_key: SECRET,
    from: FROM,
    webhook_secret: `whsec_${Buffer.from(SECRET).toString('base64')}`,
    endpoint,
  }),
  secrets: [SECRET, Buffer.from(SECRET).toString('base64')],
  to: TO,
  isSend: ({ method, path }) => method === 'POST' && path === '/emails',
  accept: () => ({ status: 200, body: { id: randomUUID() } }),
  other: () => ({ status: 200, body: { data: [] } }),
  refusals: {
    ...commonRefusals,
    'wrong key': { kind: 'misconfigured', reply: resendError(403, 'invalid_api_key') },
    'no key': { kind: 'misconfigured', reply: resendError(401, 'missing_api_key') },
    'from refused': { kind: 'misconfigured', reply: resendError(422, 'invalid_from_address') },
    'bad field': { kind: 'rejected', reply: resendError(422, 'validation_error') },
    'bad address': { kind: 'bad_address', reply: resendError(422, 'invalid_to_address') },
    'rate limit': { kind: 'throttled', reply: resendError(429, 'rate_limit_exceeded') },
    'quota used up': { kind: 'misconfigured', reply: resendError(429, 'daily_quota_exceeded') },
    broken: { kind: 'transient', reply: resendError(500, 'application_error') },
  },
};

const sendgridError = (field: string | null, message: string) => ({ errors: [{ message, field, help: null }] });

export const sendgridVendor: VendorDescription = {
  id: 'sendgrid',
  credentials: (endpoint) => ({ api_key: SECRET, from: FROM, webhook_public_key: SENDGRID_PUBLIC_KEY, endpoint }),
  secrets: [SECRET],
  to: TO,
  isSend: ({ path }) => path === '/v3/mail/send',
  accept: () => ({ status: 202, headers: { 'x-message-id': randomUUID() }, body: '' }),
  other: () => ({ status: 200, body: { scopes: ['mail.send'] } }),
  refusals: {
    ...commonRefusals,
    'wrong key': refuses('misconfigured', 401, sendgridError(null, 'authorization required')),
    'from not verified': refuses(
      'misconfigured',
      403,
      sendgridError('from', 'The from address does not match a verified Sender Identity'),
    ),
    'bad from': refuses('misconfigured', 400, sendgridError('from.email', 'Does not contain a valid address.')),
    'bad address': refuses(
      'bad_address',
      400,
      sendgridError('personalizations.0.to.0.email', 'Does not contain a valid address.'),
    ),
    'bad subject': refuses('rejected', 400, sendgridError('subject', 'The subject is required.')),
    'too large': refuses('rejected', 413, sendgridError(null, 'too large')),
  },
};

const postmarkError = (ErrorCode: number, Message: string) => ({ ErrorCode, Message });

export const postmarkVendor: VendorDescription = {
  id: 'postmark',
  credentials: (endpoint) => ({ server_token: SECRET, from: FROM, webhook_password: `password-${SECRET}`, endpoint }),
  secrets: [SECRET],
  to: TO,
  isSend: ({ path }) => path === '/email',
  accept: () => ({ status: 200, body: { ErrorCode: 0, Message: 'OK', MessageID: randomUUID() } }),
  refusals: {
    ...commonRefusals,
    'wrong token': refuses('misconfigured', 401, postmarkError(10, 'Bad or missing API token')),
    'sender not confirmed': refuses('misconfigured', 422, postmarkError(400, 'Sender signature not found')),
    'inactive recipient': refuses('bad_address', 422, postmarkError(406, 'Inactive recipient')),
    'bad address': refuses('bad_address', 422, postmarkError(300, "Invalid 'To' address: 'x'.")),
    'bad field': refuses('rejected', 422, postmarkError(300, 'Invalid email request')),
    'not allowed': refuses('misconfigured', 422, postmarkError(405, 'Not allowed to send')),
    maintenance: refuses('transient', 422, postmarkError(100, 'Maintenance')),
  },
};

export const mailgunVendor: VendorDescription = {
  id: 'mailgun',
  credentials: (endpoint) => ({
    api_key: SECRET,
    domain: 'mg.example.com',
    from: FROM,
    webhook_signing_key: `signing-${SECRET}`,
    endpoint,
  }),
  secrets: [SECRET],
  to: TO,
  isSend: ({ path }) => path.endsWith('/messages'),
  accept: () => ({ status: 200, body: { id: `<${randomUUID()}@mg.example.com>`, message: 'Queued. Thank you.' } }),
  refusals: {
    ...commonRefusals,
    'wrong key': refuses('misconfigured', 401, 'Forbidden'),
    'no such domain': refuses('misconfigured', 404, { message: 'Domain not found: mg.example.com' }),
    'bad address': refuses('bad_address', 400, {
      message: "'to' parameter is not a valid address. please check documentation",
    }),
    'bad from': refuses('misconfigured', 400, {
      message: "'from' parameter is not a valid address. please check documentation",
    }),
    'bad field': refuses('rejected', 400, { message: 'h:X is too long' }),
    'account disabled': refuses('misconfigured', 403, { message: 'Domain is not allowed to send' }),
  },
};

const brevoError = (code: string, message: string) => ({ code, message });

export const brevoVendor: VendorDescription = {
  id: 'brevo',
  credentials: (endpoint) => ({ api_key: SECRET, from: FROM, webhook_token: `token-${SECRET}`, endpoint }),
  secrets: [SECRET],
  to: TO,
  isSend: ({ path }) => path === '/v3/smtp/email',
  accept: () => ({ status: 201, body: { messageId: `<${randomUUID()}@smtp-relay.mailin.fr>` } }),
  refusals: {
    ...commonRefusals,
    'wrong key': refuses('misconfigured', 401, brevoError('unauthorized', 'Key not found')),
    'no credit': refuses('misconfigured', 402, brevoError('not_enough_credits', 'Not enough credits')),
    'bad address': refuses('bad_address', 400, brevoError('invalid_parameter', 'email is not valid in to')),
    'bad sender': refuses(
      'misconfigured',
      400,
      brevoError('invalid_parameter', 'Sending has been rejected because the sender you used is not valid'),
    ),
    'bad field': refuses('rejected', 400, brevoError('invalid_parameter', 'subject is too long')),
    'missing field': refuses('rejected', 400, brevoError('missing_parameter', 'subject is missing')),
  },
};
