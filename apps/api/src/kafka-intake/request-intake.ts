import { Injectable } from '@nestjs/common';
import { isUnavailable, unavailableOf } from '#database';
import { DomainError } from '#domain';
import type { StreamedRequest } from '#messaging';
import { traceparentOf } from '#telemetry';
import { Authenticator } from '../access/authenticator.js';
import { checkAddress, checkKey } from '../access/authorize-request.js';
import { checkBodyShape } from '../http/body-shape.js';
import { bodyHashOf, checkIdempotencyKey } from '../http/idempotency.js';
import { problemOf } from '../http/problem.filter.js';
import { fieldErrorsOf, validationFailed } from '../http/request-schema.pipe.js';
import { AcceptNotification } from '../notifications/accept-notification.js';
import { sendBody } from '../notifications/notification.schema.js';

/** The path of the same send over HTTP, so that both share their idempotency keys. */
const ROUTE = '/api/v1/notifications';

/** Accepts a send from a Kafka topic like a POST: same body, same idempotency key, same checks, same commit. */
@Injectable()
export class RequestIntake {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly accept: AcceptNotification,
  ) {}

  /**
   * Returns the answer to publish: 202, or a problem for an error of the caller. The header `x-api-key` authenticates
   * the tenant. The idempotency key is the header `idempotency-key`, the field of the body, the key of the message, or
   * its place in the topic, so that a message that is delivered twice is accepted once. Throws `unavailable` while the
   * database is unavailable, and every internal error.
   */
  async handle(request: StreamedRequest): Promise<Record<string, unknown>> {
    try {
      const key = await this.authenticator.authenticate(request.headers['x-api-key'], null);
      checkAddress(key, null);
      checkKey(key, 'notifications:write');
      checkBodyShape(request.body);
      const parsed = sendBody.safeParse(request.body);
      if (!parsed.success) throw validationFailed(fieldErrorsOf(parsed.error.issues, request.body));
      const { idempotency_key: field, ...rest } = request.body as { idempotency_key?: string };
      const idempotencyKey = request.headers['idempotency-key'] ?? field ?? (request.key || request.place);
      const result = await this.accept.run(
        {
          tenantId: key.tenantId,
          keyId: key.keyId,
          settings: key.settings,
          scopes: key.scopes,
          recipientId: null,
          token: null,
          traceparent: traceparentOf(request.headers['traceparent']),
        },
        parsed.data,
        { key: checkIdempotencyKey(idempotencyKey), bodyHash: bodyHashOf(ROUTE, rest) },
      );
      return result.kind === 'accepted'
        ? { status: 202, notification_id: result.first.notification.id, replayed: false }
        : { status: 202, notification_id: result.notificationId, replayed: true };
    } catch (error) {
      if (error instanceof DomainError && error.status < 500) return problemOf(error, request.place);
      throw isUnavailable(error) ? unavailableOf(error) : error;
    }
  }
}
