/** The Content-Security-Policy of a page that needs only `sources`. `formAction`: where its forms may be sent. */
export function pagePolicy(sources: readonly string[], formAction: "'none'" | "'self'" = "'none'"): string {
  return [
    "default-src 'none'",
    ...sources,
    `form-action ${formAction}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
