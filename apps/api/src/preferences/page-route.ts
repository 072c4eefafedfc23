// What the routes of all pages for recipients have in common.

import { z } from 'zod';
import { pagePolicy } from '../http/browser/page-policy.js';
import { routeConfig } from '../http/route-config.js';

export const HTML = 'text/html; charset=utf-8';

export const linkTokenParam = z.object({ token: z.string().min(1).max(4_096) });

/** No scripts. Its forms may be sent to this origin only. */
export const RecipientPagePolicy = routeConfig({
  contentSecurityPolicy: pagePolicy(["style-src 'unsafe-inline'", 'img-src data:'], "'self'"),
});
