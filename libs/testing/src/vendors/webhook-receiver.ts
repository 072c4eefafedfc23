import { commonRefusals, refuses, type VendorDescription } from './http-vendor.js';

const SECRET = `whsec_${Buffer.from('a-secret-of-the-endpoint-123456').toString('base64')}`;

/** A tenant's own endpoint. */
export const webhookReceiver: VendorDescription = {
  id: 'webhook',
  credentials: (url) => ({ url: `${url}/hook`, secret: SECRET }),
  secrets: [SECRET],
  to: null,
  isSend: ({ method }) => method === 'POST',
  accept: () => ({ status: 204 }),
  refusals: {
    ...commonRefusals,
    gone: refuses('misconfigured', 410, 'gone'),
    'bad gateway': refuses('throttled', 502, 'bad gateway'),
    'gateway timeout': refuses('throttled', 504, 'gateway timeout'),
    'its own error': refuses('transient', 500, 'oops'),
    'not found': refuses('transient', 404, 'not found'),
    unauthorized: refuses('transient', 401, 'who are you'),
    redirect: refuses('transient', 302, '', { location: 'http://169.254.169.254/latest/meta-data' }),
  },
};
