import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { IdempotencyStore } from '#database';
import type { CarillonRequest } from '../access/access.js';
import { answerOnce } from './answer-once.js';
import { bodyHashOf, idempotencyKeyOf } from './idempotency.js';

/**
 * Handles the Idempotency-Key of tenant POSTs. Bound to each controller, not globally: an interceptor costs a request
 * some 20 µs even where it does nothing (docs/adr/0026).
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly store: IdempotencyStore) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<CarillonRequest>();
    // Recipients have no idempotency keys; operators have those of the tenant.
    if (request.method !== 'POST' || !request.caller || request.caller.token) return next.handle();
    const key = idempotencyKeyOf(request);
    if (key === null) return next.handle();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const bodyHash = bodyHashOf(routeOf(request), request.body);
    let body: unknown;
    const { answer, isReplay } = await answerOnce(
      this.store,
      { tenantId: request.caller.tenantId, key, bodyHash },
      async () => {
        body = await lastValueFrom(next.handle(), { defaultValue: undefined });
        const location = (reply.getHeader('location') as string | undefined) ?? null;
        return { status: reply.statusCode, body: body ?? null, location };
      },
    );
    if (!isReplay) return of(body);
    reply.status(answer.status).header('Idempotency-Replayed', 'true');
    if (answer.location) reply.header('Location', answer.location);
    return of(answer.body);
  }
}

/**
 * The path; the scopes of the caller, because a minted token has at most these; and on inbox routes the recipient,
 * which may be in a header only.
 */
function routeOf({ url, caller }: CarillonRequest): string {
  const scopes = [...(caller?.scopes ?? [])].sort().join();
  return `POST ${url} ${scopes} ${caller?.recipientId ?? ''}`;
}
