// `fetch` sends the API key and the body again to the host that a redirect names: across origins it drops only
// `Authorization` and cookies. So requests have `redirect: 'manual'`; Cloudflare workers do not know `'error'`.

import { CarillonError } from './carillon-error.js';

const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Throws `CarillonError` if the response is a redirect. Browsers hide its status and its target. */
export function refuseRedirect(response: Response, url: string): void {
  const { status, headers, type } = response;
  if (type !== 'opaqueredirect' && !REDIRECT_STATUSES.has(status)) return;
  void response.body?.cancel().catch(() => undefined);
  const target = headers.get('location');
  const to = target === null ? '' : ` to ${absoluteUrl(target, url).slice(0, 200)}`;
  const origin = URL.canParse(url) ? new URL(url).origin : url;
  throw new CarillonError({
    code: 'unexpected_answer',
    detail: `${origin} answered with a redirect${to}; set url to the address that answers itself`,
    status: status === 0 ? undefined : status,
    requestId: headers.get('x-request-id') ?? undefined,
  });
}

function absoluteUrl(target: string, base: string): string {
  return URL.canParse(target, base) ? new URL(target, base).href : target;
}
