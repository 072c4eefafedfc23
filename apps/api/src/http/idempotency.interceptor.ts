import { setTimeout as delay } from 'node:timers/promises';
import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { catchError, from, mergeMap, type Observable, of, throwError } from 'rxjs';
import { IdempotencyStore } from '#database';
import type { CarillonRequest } from './access.js';
import { bodyHashOf, idempotencyKeyOf } from './idempotency.js';

/** How long it is tried to write down how a request ended, while the database is away. */
const SETTLE_MS = 300_000;
const SETTLE_PAUSE_MS = 250;

/**
 * Idempotency-Key on every POST of a tenant but the sends, whose store keeps the key itself in the commit that accepts: the
 * key is taken before, the answer kept after. Once the handler has acted its answer is given, whether it could be kept or not:
 * the key is never freed again, so that no retry acts a second time.
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
    return from(this.store.begin(tenantId, key, bodyHashOf(routeOf(request), request.body))).pipe(
      mergeMap((first) => {
        if (first) {
          reply.status(first.status).header('Idempotency-Replayed', 'true');
          if (first.location) reply.header('Location', first.location);
          return of(first.body);
        }
        return next.handle().pipe(
          catchError((error: unknown) =>
            from(settle(() => this.store.abandon(tenantId, key))).pipe(mergeMap(() => throwError(() => error))),
          ),
          mergeMap(async (body: unknown) => {
            const answer = {
              status: reply.statusCode,
              body: body ?? null,
              location: (reply.getHeader('location') as string | undefined) ?? null,
            };
            await settle(() => this.store.complete(tenantId, key, answer));
            return body;
          }),
        );
      }),
    );
  }
}

/** What the body is sent to: the path, and on inbox routes the recipient, whom only a header names. */
function routeOf({ url, caller }: CarillonRequest): string {
  return caller?.recipientId ? `POST ${url} ${caller.recipientId}` : `POST ${url}`;
}

/** Writes it down; where that fails at once, goes on in the background and lets the answer go. Never throws. */
async function settle(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch {
    void settleLater(write);
  }
}

async function settleLater(write: () => Promise<void>): Promise<void> {
  for (const end = performance.now() + SETTLE_MS; performance.now() < end; ) {
    await delay(SETTLE_PAUSE_MS, undefined, { ref: false });
    try {
      return await write();
    } catch {
      // Without this line the key stays unanswered, and a retry is told that the outcome is not known.
    }
  }
}
