import { createECDH, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { commonRefusals, refuses, type VendorDescription } from './http-vendor.js';

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';
const googleError = (code: number, status: string, errorCode?: string, details: object[] = []) => ({
  error: {
    code,
    status,
    message: `refused: ${status}`,
    details: [...(errorCode ? [{ '@type': FCM_ERROR, errorCode }] : []), ...details],
  },
});

export const fcmVendor: VendorDescription = {
  id: 'fcm',
  credentials: (endpoint) => ({
    service_account: JSON.stringify({
      type: 'service_account',
      project_id: 'carillon-test',
      client_email: 'push@carillon-test.iam.gserviceaccount.com',
      private_key: privateKey,
    }),
    endpoint,
  }),
  secrets: [privateKey.split('\n')[1]!, 'an-access-token'],
  to: 'a-device-token',
  isSend: ({ path }) => path.endsWith('/messages:send'),
  accept: () => ({ status: 200, body: { name: `projects/carillon-test/messages/${randomUUID()}` } }),
  other: () => ({ status: 200, body: { access_token: 'an-access-token', expires_in: 3_600, token_type: 'Bearer' } }),
  refusals: {
    ...commonRefusals,
    unregistered: refuses('bad_address', 404, googleError(404, 'NOT_FOUND', 'UNREGISTERED')),
    'another sender': refuses('bad_address', 403, googleError(403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH')),
    'no token': refuses(
      'bad_address',
      400,
      googleError(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', [
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [{ field: 'message.token', description: 'Invalid registration token' }],
        },
      ]),
    ),
    'bad payload': refuses('rejected', 400, googleError(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT')),
    quota: refuses('throttled', 429, googleError(429, 'RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED')),
    unavailable: refuses('transient', 503, googleError(503, 'UNAVAILABLE', 'UNAVAILABLE')),
    internal: refuses('transient', 500, googleError(500, 'INTERNAL', 'INTERNAL')),
    'apns key': refuses('misconfigured', 401, googleError(401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR')),
    'not allowed': refuses('misconfigured', 403, googleError(403, 'PERMISSION_DENIED')),
  },
};

/** A browser's subscription with valid keys. */
export function browserSubscription(url: string): string {
  const browser = createECDH('prime256v1');
  return JSON.stringify({
    endpoint: `${url}/push/${randomUUID()}`,
    keys: { p256dh: browser.generateKeys().toString('base64url'), auth: randomBytes(16).toString('base64url') },
  });
}

const vapid = createECDH('prime256v1');
vapid.generateKeys();

export const webPushVendor: VendorDescription = {
  id: 'web-push',
  credentials: () => ({
    subject: 'mailto:ops@example.com',
    public_key: vapid.getPublicKey().toString('base64url'),
    private_key: Buffer.concat([Buffer.alloc(32), vapid.getPrivateKey()])
      .subarray(-32)
      .toString('base64url'),
  }),
  secrets: [
    Buffer.concat([Buffer.alloc(32), vapid.getPrivateKey()])
      .subarray(-32)
      .toString('base64url'),
  ],
  to: browserSubscription,
  isSend: ({ path }) => path.startsWith('/push/'),
  accept: (request) => ({
    status: 201,
    headers: { location: `https://push.example.com/message/${request.path.slice(6)}` },
  }),
  refusals: {
    ...commonRefusals,
    gone: refuses('bad_address', 410, 'push subscription has unsubscribed or expired'),
    'not there': refuses('bad_address', 404, 'no such subscription'),
    'wrong key': refuses('misconfigured', 403, 'the VAPID credentials do not correspond'),
    'no key': refuses('misconfigured', 401, 'unauthorized'),
    'too large': refuses('rejected', 413, 'payload too large'),
    'bad request': refuses('rejected', 400, 'bad encoding'),
  },
};
