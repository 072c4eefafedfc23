import { SetMetadata } from '@nestjs/common';

/**
 * Marks a tenant POST that stores its Idempotency-Key itself, in the commit of its effect, or changes nothing, and so
 * needs no `IdempotencyInterceptor`. A test requires one of the two on every tenant POST.
 */
export const SkipIdempotency = (): MethodDecorator => SetMetadata('carillon:skip-idempotency', true);
