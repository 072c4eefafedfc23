import { SetMetadata } from '@nestjs/common';

export const SKIP_IDEMPOTENCY = 'carillon:skip-idempotency';

/** For a POST that stores its Idempotency-Key itself, in the commit of its effect. */
export const SkipIdempotency = (): MethodDecorator => SetMetadata(SKIP_IDEMPOTENCY, true);
