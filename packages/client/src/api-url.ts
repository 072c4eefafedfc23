/** The URL without slashes at its end. Throws if it is missing: the variable that it is read from may not be set. */
export function apiUrlOf(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TypeError(`url must be a URL like https://carillon.example.com, got ${JSON.stringify(url)}.`);
  return url.replace(/\/+$/, '');
}
