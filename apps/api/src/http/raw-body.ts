import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { CarillonRequest } from '../access/access.js';
import { routeConfig } from './route-config.js';

/** A request with its body as unparsed text. */
export interface RawRequest extends CarillonRequest {
  rawBody: string;
}

/** Accepts any content type and keeps the body as text: signatures of receipts cover the exact bytes. */
export function RawBody(): MethodDecorator {
  return applyDecorators(
    routeConfig({ rawBody: true }),
    ApiConsumes('*/*'),
    ApiBody({ schema: { type: 'string' }, required: false }),
  );
}
