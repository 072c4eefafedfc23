// Codes: https://firebase.google.com/docs/cloud-messaging/error-codes. HTTP v1, without the vendor's SDK, which
// posts up to five times (docs/adr/0011). The access token is requested with a signed assertion (RFC 7523).

import { importPKCS8, SignJWT } from 'jose';
import { z } from 'zod';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { defineProvider, endpoint, type ProviderMessage, secret } from '../define-provider.js';
import {
  beforeDeadline,
  kindOfStatus,
  refusalOf,
  unreadableResponse,
  type VendorHttp,
  type VendorResponse,
} from '../http/vendor-http.js';

const MAX_IN_FLIGHT = 100;
const MAX_BYTES = 4_096;
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging';
/** Timeout of the request for an access token. */
const FETCH_MS = 8_000;
/** A token is renewed this long before it expires. */
const RENEW_BEFORE_MS = 60_000;

const codes: Readonly<Record<string, ProviderErrorKind>> = {
  UNREGISTERED: 'bad_address',
  SENDER_ID_MISMATCH: 'bad_address',
  NOT_FOUND: 'bad_address',
  QUOTA_EXCEEDED: 'throttled',
  RESOURCE_EXHAUSTED: 'throttled',
  UNAVAILABLE: 'transient',
  INTERNAL: 'transient',
  THIRD_PARTY_AUTH_ERROR: 'misconfigured',
  UNAUTHENTICATED: 'misconfigured',
  PERMISSION_DENIED: 'misconfigured',
  INVALID_ARGUMENT: 'rejected',
};

const serviceAccount = z.object({
  project_id: z.string().min(1),
  client_email: z.string().min(1),
  private_key: z.string().includes('PRIVATE KEY'),
});
type ServiceAccount = z.infer<typeof serviceAccount>;

export const fcm = defineProvider({
  id: 'fcm',
  name: 'Firebase Cloud Messaging',
  channels: ['push'],
  senderChoice: 'none',
  reaches: (address) => !address.startsWith('{'),
  credentials: z.strictObject({
    service_account: secret('The JSON file of a service account, as text').refine(
      (text) => readServiceAccount(text) !== null,
      'must be the JSON of a service account, with project_id, client_email and private_key',
    ),
    endpoint,
  }),
  connect: (account, { http }) => {
    const service = readServiceAccount(account.service_account)!;
    const token = new AccessToken(service, http, account.endpoint ?? 'https://oauth2.googleapis.com');
    const url = `${account.endpoint ?? 'https://fcm.googleapis.com'}/v1/projects/${encodeURIComponent(service.project_id)}/messages:send`;
    const post = async (body: object, signal: AbortSignal): Promise<VendorResponse> => {
      const authorization = `Bearer ${await token.get(signal)}`;
      const response = await http.request({ url, headers: { authorization }, body, signal });
      if (response.status === 401) token.forget();
      if (!response.ok) throw toError(response);
      return response;
    };
    return {
      maxInFlight: MAX_IN_FLIGHT,
      async send(message, { signal }) {
        const body = { message: toFcm(message) };
        const bytes = Buffer.byteLength(JSON.stringify({ ...body.message, token: '' }));
        if (bytes > MAX_BYTES)
          throw new ProviderError('rejected', `A push message has at most ${MAX_BYTES} bytes, got ${bytes}`, {
            code: 'too_long',
          });
        const response = await post(body, signal);
        if (typeof response.json['name'] !== 'string') throw unreadableResponse(response);
        return { messageId: response.json['name'] };
      },
      async verify({ signal }) {
        await post({ validate_only: true, message: { topic: 'carillon-verify', data: {} } }, signal);
      },
    };
  },
});

function toFcm(message: ProviderMessage) {
  const {
    title,
    body,
    data,
    image_url: image,
  } = message.content as {
    title: string;
    body: string;
    data?: Record<string, string>;
    image_url?: string;
  };
  const ttl = message.ttlSeconds;
  return {
    token: message.to,
    notification: { title, body, ...(image && { image }) },
    data: { ...data, carillon_delivery_id: message.deliveryId },
    ...(ttl != null && {
      android: { ttl: `${Math.floor(ttl)}s` },
      apns: { headers: { 'apns-expiration': String(Math.floor(Date.now() / 1_000 + ttl)) } },
      webpush: { headers: { TTL: String(Math.floor(ttl)) } },
    }),
  };
}

interface Detail {
  '@type'?: string;
  errorCode?: string;
  fieldViolations?: { field?: string }[];
}

function toError(response: VendorResponse): ProviderError {
  const error = (response.json['error'] ?? {}) as { status?: string; message?: string; details?: Detail[] };
  const code = error.details?.find(({ errorCode }) => errorCode)?.errorCode ?? error.status ?? null;
  const aboutToken = error.details?.some(({ fieldViolations }) =>
    fieldViolations?.some(({ field }) => field === 'message.token'),
  );
  const kind = code === 'INVALID_ARGUMENT' && aboutToken ? 'bad_address' : code === null ? undefined : codes[code];
  return refusalOf(response, { kind: kind ?? kindOfStatus(response.status), code, message: error.message });
}

function readServiceAccount(text: string): ServiceAccount | null {
  try {
    return serviceAccount.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** The access token of a service account, shared by all sends and renewed a minute before it expires. */
class AccessToken {
  private current: { token: string; expiresAt: number } | undefined;
  private fetching: Promise<string> | undefined;

  constructor(
    private readonly service: ServiceAccount,
    private readonly http: VendorHttp,
    private readonly base: string,
  ) {}

  /** Throws ProviderError, but never `unknown`, because no message was sent yet. */
  async get(signal: AbortSignal): Promise<string> {
    if (this.current && this.current.expiresAt > performance.now()) return this.current.token;
    // Concurrent sends share one request; each waits until its own deadline.
    this.fetching ??= this.fetch(AbortSignal.timeout(FETCH_MS)).finally(() => {
      this.fetching = undefined;
    });
    return await beforeDeadline(signal, this.fetching);
  }

  forget(): void {
    this.current = undefined;
  }

  private async fetch(signal: AbortSignal): Promise<string> {
    const url = `${this.base}/token`;
    const key = await importPKCS8(this.service.private_key, 'RS256').catch(() => {
      throw new ProviderError('misconfigured', 'The private key of the service account is not valid', {
        code: 'private_key',
      });
    });
    const assertion = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
      .setIssuer(this.service.client_email)
      .setAudience('https://oauth2.googleapis.com/token')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key);
    const response = await this.http
      .request({
        url,
        signal,
        body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }),
      })
      .catch((error: ProviderError) => {
        throw error.kind === 'unknown'
          ? new ProviderError('transient', `No access token: ${error.message}`, { code: error.code })
          : error;
      });
    if (!response.ok) {
      const kind = response.status === 400 ? 'misconfigured' : kindOfStatus(response.status);
      throw refusalOf(response, {
        kind,
        code: response.json['error'] as string | undefined,
        message: 'Google refused an access token for this service account',
      });
    }
    const { access_token: token, expires_in: seconds } = response.json as {
      access_token?: string;
      expires_in?: number;
    };
    if (!token) throw new ProviderError('transient', 'Google responded without an access token', { code: 'no_token' });
    this.current = { token, expiresAt: performance.now() + (seconds ?? 3_600) * 1_000 - RENEW_BEFORE_MS };
    return token;
  }
}
