const CONSOLE = '/console/';
const MAX_LENGTH = 1_000;

/**
 * Where the browser goes after a sign-in: a view of the console. Anything else, such as an address of another site or a
 * path that a browser would read as one, is replaced by the start of the console.
 */
export function returnPath(given: unknown): string {
  if (typeof given !== 'string' || given.length > MAX_LENGTH || !given.startsWith(CONSOLE)) return CONSOLE;
  // Browsers ignore control characters, and read a backslash as a slash. URL resolves `..` as they do.
  if (/[\\\s]|[^\x20-\x7e]/.test(given) || !URL.canParse(given, 'http://console')) return CONSOLE;
  const { host, pathname, search, hash } = new URL(given, 'http://console');
  const isView =
    host === 'console' && pathname.startsWith(CONSOLE) && !/^\/console\/(oidc|session)(\/|$)/.test(pathname);
  return isView ? pathname + search + hash : CONSOLE;
}
