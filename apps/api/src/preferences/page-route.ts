// Decorators of the routes of all pages for recipients.

import { ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { errorCatalogue } from '#domain';
import { pagePolicy } from '../http/browser/page-policy.js';
import { routeConfig } from '../http/route-config.js';

export const HTML = 'text/html; charset=utf-8';

/** Tokens are ASCII. Node refuses a longer address than 16 KB before a route is known. */
export const linkTokenParam = z.object({ token: z.string().min(1).max(4_096).meta({ pattern: '^[!-~]+$' }) });

/** No scripts. Its forms may be sent to this origin only. */
export const RecipientPagePolicy = routeConfig({
  contentSecurityPolicy: pagePolicy(["style-src 'unsafe-inline'", 'img-src data:'], "'self'"),
});

/** Documents an error that is a page where the link is valid, and a problem otherwise. Put it before `@Answers`. */
export const PageError = (code: 'not_found' | 'validation_failed'): MethodDecorator =>
  ApiResponse({
    status: errorCatalogue[code].status,
    description: code,
    content: {
      'text/html': { schema: { type: 'string' } },
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    },
  });
