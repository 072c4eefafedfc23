import { verifyWebhook, type WebhookEvent, WebhookVerificationError } from '@carillon/client';
import { BadRequestException, InternalServerErrorException, UnauthorizedException } from '@nestjs/common';

/** The parts of a request that Nest's adapters for Express and Fastify have in common. */
export interface WebhookCall {
  headers: Record<string, string | string[] | undefined>;
  rawBody?: unknown;
  body?: unknown;
}

const NO_RAW_BODY =
  'The raw body of a webhook call is missing, so its signature cannot be verified. Create the application with ' +
  '`NestFactory.create(AppModule, { rawBody: true })`.';

/**
 * Returns the event. Throws 400 for a call that is not a webhook, 401 for a wrong or an old signature, and 500 if the
 * application keeps no raw bodies.
 */
export function verifyCall(secrets: readonly string[], call: WebhookCall): WebhookEvent {
  const body = rawBodyOf(call);
  try {
    return verifyWebhook(secrets, call.headers, body);
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    const isUnsigned = /Missing required headers/.test(error.message);
    throw isUnsigned
      ? new BadRequestException('The headers webhook-id, webhook-timestamp and webhook-signature are required.')
      : new UnauthorizedException(`The signature of the webhook call is refused: ${error.message}.`);
  }
}

function rawBodyOf({ rawBody, body, headers }: WebhookCall): Uint8Array {
  // Without a parser for JSON, an application may have left the body as it is.
  for (const bytes of [rawBody, body]) if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  const hasBody = Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined;
  throw hasBody
    ? new InternalServerErrorException(NO_RAW_BODY)
    : new BadRequestException('The webhook call has no body.');
}

/** Throws for a secret that cannot have come from Carillon, without showing it. */
export function checkedSecrets(secrets: string | readonly string[]): readonly string[] {
  const list = typeof secrets === 'string' ? [secrets] : [...(secrets ?? [])];
  const wrong = list.findIndex((secret) => !/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret));
  if (list.length > 0 && wrong === -1) return list;
  const fault = list.length === 0 ? 'secrets is empty' : `secrets[${wrong}] is not a secret like whsec_…`;
  throw new Error(`CarillonWebhooksModule: ${fault}. Is the environment variable that it is read from set?`);
}
