import { Injectable } from '@nestjs/common';
import { isUnavailable, type KnownKey, unavailableOf } from '#database';
import { DomainError, validationFailed } from '#domain';
import type { StreamedRequest } from '#messaging';
import { beginAccept, endAccept, type SpanAttributes, traceparentOf } from '#telemetry';
import { Authenticator } from '../access/authenticator.js';
import { checkAddress, checkKey } from '../access/authorize-request.js';
import { checkBodyShape } from '../http/body-shape.js';
import { bodyHashOf, checkIdempotencyKey } from '../http/idempotency.js';
import { problemOf } from '../http/problem.filter.js';
import { validate } from '../http/request-schema.pipe.js';
import { AcceptNotification } from '../notifications/accept-notification.js';
import { sendBody } from '../notifications/notification.schema.js';
import { countsOfOne, observeAccept } from '../notifications/observe-accept.js';

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
      const key = await this.authenticate(request);
      return await this.acceptTraced(request, key);
    } catch (error) {
      if (error instanceof DomainError && error.status < 500) return problemOf(error, request.place);
      throw isUnavailable(error) ? unavailableOf(error) : error;
    }
  }

  private async authenticate({ headers }: StreamedRequest): Promise<KnownKey> {
    const key = await this.authenticator.authenticate(headers['x-api-key'], null);
    checkAddress(key, null);
    checkKey(key, 'notifications:write');
    return key;
  }

  /** After the authentication, so that messages without a valid key add no spans. */
  private async acceptTraced(request: StreamedRequest, key: KnownKey) {
    const given = traceparentOf(request.headers['traceparent']);
    const trace = beginAccept(given);
    const tenant = { 'carillon.tenant_id': key.tenantId };
    let end: { attributes: SpanAttributes; error: string | undefined } = { attributes: tenant, error: 'unavailable' };
    try {
      const answer = await this.acceptAs(request, key, trace?.traceparent ?? given);
      end = { attributes: { ...tenant, 'carillon.notification_id': answer.notification_id }, error: undefined };
      return answer;
    } catch (error) {
      if (error instanceof DomainError && error.status < 500)
        end = { attributes: { ...tenant, 'carillon.code': error.code }, error: undefined };
      throw error;
    } finally {
      endAccept(trace, { kind: 'consumer', ...end });
    }
  }

  private async acceptAs(request: StreamedRequest, key: KnownKey, traceparent: string | null) {
    checkBodyShape(request.body);
    const { data: body, errors } = validate(sendBody, request.body);
    if (errors) throw validationFailed(errors);
    const { idempotency_key: field, ...rest } = request.body as { idempotency_key?: string };
    const idempotencyKey = request.headers['idempotency-key'] ?? field ?? (request.key || request.place);
    const { tenantId, keyId, settings, scopes } = key;
    const caller = { tenantId, keyId, settings, scopes, recipientId: null, token: null, traceparent };
    const idempotency = { key: checkIdempotencyKey(idempotencyKey), bodyHash: bodyHashOf(ROUTE, rest) };
    const result = await observeAccept(
      { intake: 'kafka', tenantId },
      () => this.accept.run(caller, body, idempotency),
      countsOfOne,
    );
    const isReplay = result.kind !== 'accepted';
    const id = isReplay ? result.notificationId : result.first.notification.id;
    return { status: 202, notification_id: id, replayed: isReplay };
  }
}
