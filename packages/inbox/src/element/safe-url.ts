const SAFE = new Set(['http:', 'https:', 'mailto:']);

/** The address of a link, or null if it must not become one, such as `javascript:`. Relative ones are allowed. */
export function safeUrl(text: string | null): string | null {
  if (text === null || text === '') return null;
  try {
    const { href, protocol } = new URL(text, document.baseURI);
    return SAFE.has(protocol) ? href : null;
  } catch {
    return null;
  }
}
