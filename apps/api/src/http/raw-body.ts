import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { CarillonRequest } from './access.js';
import { routeConfig } from './route-config.js';

/** A request whose body is left as the text that came. */
export interface RawRequest extends CarillonRequest {
  rawBody: string;
}

/** Any text is taken, and not looked into before its signature is: vendors' calls and mail clients' clicks. */
export function RawBody(): MethodDecorator {
  return applyDecorators(
    routeConfig({ rawBody: true }),
    ApiConsumes('*/*'),
    ApiBody({ schema: { type: 'string' }, required: false }),
  );
}
