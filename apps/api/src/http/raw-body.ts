import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { CarillonRequest } from './access.js';

/** A request whose body is left as the text that came. */
export interface RawRequest extends CarillonRequest {
  rawBody: string;
}

/** Paths under which bodies are not looked into before their signature is: vendors' calls and mail clients' clicks. */
export const RAW_PATHS = ['/receipts/', '/unsubscribe/'] as const;

/** Says in the OpenAPI document that any text is taken. */
export function RawBody(): MethodDecorator {
  return applyDecorators(ApiConsumes('*/*'), ApiBody({ schema: { type: 'string' }, required: false }));
}
