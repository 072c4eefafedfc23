import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { catchError, from, mergeMap, type Observable, of, throwError } from 'rxjs';
import { IdempotencyStore } from '#database';
import type { CarillonRequest } from './access.js';
import { bodyHashOf, idempotencyKeyOf } from './idempotency.js';

/**
 * Idempotency-Key on every POST of a tenant but the sends, whose store keeps the key itself in the commit that accepts: the
 * key is taken before, the answer kept after.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(@Inject(IdempotencyStore) private readonly store: IdempotencyStore) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<CarillonRequest>();
    const key = request.method === 'POST' && request.caller?.keyId ? idempotencyKeyOf(request) : null;
    if (key === null) return next.handle();
    const { tenantId } = request.caller!;
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return from(this.store.begin(tenantId, key, bodyHashOf(`POST ${request.url}`, request.body))).pipe(
      mergeMap((first) => {
        if (first) {
          reply.status(first.status).header('Idempotency-Replayed', 'true');
          if (first.location) reply.header('Location', first.location);
          return of(first.body);
        }
        return next.handle().pipe(
          mergeMap(async (body: unknown) => {
            await this.store.complete(tenantId, key, {
              status: reply.statusCode,
              body: body ?? null,
              location: (reply.getHeader('location') as string | undefined) ?? null,
            });
            return body;
          }),
          catchError((error: unknown) =>
            from(this.store.abandon(tenantId, key).catch(() => undefined)).pipe(
              mergeMap(() => throwError(() => error)),
            ),
          ),
        );
      }),
    );
  }
}
