import { commonRefusals, refuses, type VendorDescription } from './http-vendor.js';

const PATH = 'T00000000/B00000000/a-secret-path-1234567890';
const TOKEN = '123456:a-secret-token-of-a-bot';

export const slackVendor: VendorDescription = {
  id: 'slack',
  credentials: (url) => ({ webhook_url: `${url}/services/${PATH}` }),
  secrets: [PATH],
  to: null,
  isSend: ({ path }) => path.startsWith('/services/') || path === '/api/chat.postMessage',
  accept: ({ path }) =>
    path.startsWith('/services/')
      ? { status: 200, body: 'ok' }
      : { status: 200, body: { ok: true, ts: '1700000000.000100' } },
  other: () => ({ status: 200, body: { ok: true } }),
  refusals: {
    ...commonRefusals,
    'bad payload': refuses('rejected', 400, 'invalid_payload'),
    'too many attachments': refuses('rejected', 400, 'too_many_attachments'),
    'webhook gone': refuses('misconfigured', 404, 'no_service'),
    'channel gone': refuses('misconfigured', 404, 'channel_not_found'),
    archived: refuses('misconfigured', 410, 'channel_is_archived'),
    forbidden: refuses('misconfigured', 403, 'action_prohibited'),
    'roll-up error': refuses('transient', 500, 'rollup_error'),
  },
};

export const discordVendor: VendorDescription = {
  id: 'discord',
  credentials: (url) => ({ webhook_url: `${url}/api/webhooks/1/${PATH}` }),
  secrets: [PATH],
  to: null,
  isSend: ({ method }) => method === 'POST',
  accept: (_request, number) => ({ status: 200, body: { id: `12000000000000${number}` } }),
  refusals: {
    'out of order': commonRefusals['out of order'],
    'slow down': {
      ...refuses('throttled', 429, { message: 'You are being rate limited.', retry_after: 1.337, global: false }),
      retryAfterSeconds: 1.337,
    },
    'webhook gone': refuses('misconfigured', 404, { message: 'Unknown Webhook', code: 10015 }),
    'wrong token': refuses('misconfigured', 401, { message: 'Invalid Webhook Token', code: 50027 }),
    'bad form': refuses('rejected', 400, { message: 'Invalid Form Body', code: 50035 }),
    empty: refuses('rejected', 400, { message: 'Cannot send an empty message', code: 50006 }),
  },
};

export const teamsVendor: VendorDescription = {
  id: 'teams',
  credentials: (url) => ({ webhook_url: `${url}/workflows/${PATH}?sig=a-signature` }),
  secrets: [PATH],
  to: null,
  isSend: ({ method }) => method === 'POST',
  accept: () => ({ status: 202, body: '' }),
  refusals: {
    ...commonRefusals,
    'bad card': refuses('rejected', 400, { error: { code: 'TriggerInputSchemaMismatch', message: 'no' } }),
    'wrong signature': refuses('misconfigured', 401, {
      error: { code: 'DirectApiAuthorizationRequired', message: 'no' },
    }),
    'workflow gone': refuses('misconfigured', 404, { error: { code: 'WorkflowNotFound', message: 'no' } }),
  },
};

const telegramError = (error_code: number, description: string, parameters?: object) => ({
  ok: false,
  error_code,
  description,
  parameters,
});

export const telegramVendor: VendorDescription = {
  id: 'telegram',
  credentials: (endpoint) => ({ token: TOKEN, endpoint }),
  secrets: [TOKEN],
  to: '987654321',
  isSend: ({ path }) => path.endsWith('/sendMessage'),
  accept: (_request, number) => ({ status: 200, body: { ok: true, result: { message_id: number } } }),
  other: () => ({ status: 200, body: { ok: true, result: { id: 1, is_bot: true } } }),
  refusals: {
    'out of order': commonRefusals['out of order'],
    'slow down': {
      ...refuses('throttled', 429, telegramError(429, 'Too Many Requests: retry after 5', { retry_after: 5 })),
      retryAfterSeconds: 5,
    },
    blocked: refuses('bad_address', 403, telegramError(403, 'Forbidden: bot was blocked by the user')),
    'no such chat': refuses('bad_address', 400, telegramError(400, 'Bad Request: chat not found')),
    'wrong token': refuses('misconfigured', 401, telegramError(401, 'Unauthorized')),
    'no such bot': refuses('misconfigured', 404, telegramError(404, 'Not Found')),
    'too long': refuses('rejected', 400, telegramError(400, 'Bad Request: message is too long')),
  },
};
