/**
 * The headers of every answer of every listener. The policy is for answers that are not pages: they load nothing, run
 * nothing and appear in no frame. A page replaces it with its own.
 */
export const SECURITY_HEADERS = {
  'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const;
