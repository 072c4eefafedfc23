import type { InboxOptions } from '../../../client/src/inbox/index.js';

interface Tokens {
  token: string | undefined;
  tokenProvider: (() => string | Promise<string>) | undefined;
}

/** The token first, then those of the provider. Undefined without both. */
export function tokenSource({ token, tokenProvider }: Tokens): InboxOptions['token'] | undefined {
  if (!tokenProvider) return token || undefined;
  let first = token || undefined;
  return async () => {
    const given = first ?? (await tokenProvider());
    first = undefined;
    return given;
  };
}
