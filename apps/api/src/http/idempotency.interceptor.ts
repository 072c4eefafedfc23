import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { catchError, from, mergeMap, type Observable, of, throwError } from 'rxjs';
import { IdempotencyStore, isUnanswered } from '#database';
import { newId } from '#domain';
import type { CarillonRequest } from '../access/access.js';
import { writeOrRetry } from './answer-once.js';
import { bodyHashOf, idempotencyKeyOf } from './idempotency.js';

/**
 * Handles the Idempotency-Key of tenant POSTs. Bound to each controller, not globally: an interceptor costs a request
 * some 20 µs even where it does nothing (docs/adr/0026).
 *
 * Reserves the key before the handler runs and stores the response afterwards. Once the handler has succeeded, returns
 * its response even if storing it failed. Releases the key only when it is certain that the handler changed nothing: a
 * retry must not act twice.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly store: IdempotencyStore) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<CarillonRequest>();
    if (request.method !== 'POST' || !request.caller?.keyId) return next.handle();
    const key = idempotencyKeyOf(request);
    if (key === null) return next.handle();
    const { tenantId } = request.caller;
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const token = newId();
    const abandon = (error: unknown): Observable<never> =>
      from(writeOrRetry(() => this.store.abandon(tenantId, key, token))).pipe(mergeMap(() => throwError(() => error)));
    return from(this.store.begin(tenantId, key, bodyHashOf(routeOf(request), request.body), token)).pipe(
      // The key may be reserved although the database did not answer; the handler has not run.
      catchError((error: unknown) => (isUnanswered(error) ? abandon(error) : throwError(() => error))),
      mergeMap((first) => {
        if (first) {
          reply.status(first.status).header('Idempotency-Replayed', 'true');
          if (first.location) reply.header('Location', first.location);
          return of(first.body);
        }
        return next.handle().pipe(
          // If the database did not answer, the handler may have acted: the key stays, and a retry gets
          // `idempotency_unknown`.
          catchError((error: unknown) => (isUnanswered(error) ? throwError(() => error) : abandon(error))),
          mergeMap(async (body: unknown) => {
            const answer = {
              status: reply.statusCode,
              body: body ?? null,
              location: (reply.getHeader('location') as string | undefined) ?? null,
            };
            await writeOrRetry(() => this.store.complete(tenantId, key, token, answer));
            return body;
          }),
        );
      }),
    );
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
