// The parts of a browser that a sign-in with redirects needs: cookies by host and path, and no redirect by itself.

export interface Page {
  url: string;
  status: number;
  text: string;
  headers: Headers;
}

export class Browser {
  /** By origin, path and name. The names begin with the path that they are sent to. */
  private readonly cookies = new Map<string, { origin: string; path: string; pair: string; isStrict: boolean }>();

  /** `isFromElsewhere`: another site has led here, so cookies with SameSite=Strict are not sent. */
  async get(url: string, isFromElsewhere = false): Promise<Page> {
    const { origin, pathname } = new URL(url);
    const sent = [...this.cookies.values()].filter(
      (each) => each.origin === origin && pathname.startsWith(each.path) && !(each.isStrict && isFromElsewhere),
    );
    const response = await fetch(url, {
      redirect: 'manual',
      headers: sent.length > 0 ? { Cookie: sent.map(({ pair }) => pair).join('; ') } : {},
    });
    for (const line of response.headers.getSetCookie()) this.keep(origin, pathname, line);
    return { url, status: response.status, text: await response.text(), headers: response.headers };
  }

  /** Follows redirects until there is none, or until the address begins with `until`, which is not requested. */
  async follow(url: string, until?: string): Promise<Page> {
    let isFromElsewhere = false;
    for (let at = url, left = 15; left > 0; left -= 1) {
      isFromElsewhere ||= new URL(at).origin !== new URL(url).origin;
      if (until !== undefined && at.startsWith(until)) return { url: at, status: 0, text: '', headers: new Headers() };
      const page = await this.get(at, isFromElsewhere);
      const location = page.headers.get('location');
      if (page.status < 300 || page.status >= 400 || location === null) return page;
      at = new URL(location, at).href;
    }
    throw new Error(`more than 15 redirects from ${url}`);
  }

  cookie(name: string): string | undefined {
    return [...this.cookies.values()].find(({ pair }) => pair.startsWith(`${name}=`))?.pair;
  }

  /** `line`: as in a Set-Cookie header. */
  setCookie(url: string, line: string): void {
    this.keep(new URL(url).origin, '/', line);
  }

  private keep(origin: string, pathname: string, line: string): void {
    const [pair = '', ...attributes] = line.split('; ');
    const path = /path=([^;]*)/i.exec(attributes.join('; '))?.[1] ?? pathname;
    const key = `${origin} ${path} ${pair.split('=')[0]}`;
    const isGone = /max-age=0\b|expires=Thu, 01 Jan 1970/i.test(attributes.join('; '));
    if (isGone) this.cookies.delete(key);
    else this.cookies.set(key, { origin, path, pair, isStrict: attributes.includes('SameSite=Strict') });
  }
}
