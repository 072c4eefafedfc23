// A real OpenID Connect provider on loopback. It signs in one person without asking.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Provider } from 'oidc-provider';

export const CLIENT = { id: 'carillon', secret: 'a-client-secret-of-the-test-0123456789' };

export interface OidcIssuer {
  url: string;
  /** The claims of the person who signs in next. */
  person: Record<string, unknown> & { sub: string };
  stop(): Promise<void>;
}

interface IssuerOptions {
  port: number;
  redirectUri: string;
  /** True: the claims are in the ID token too, and not in userinfo only. */
  claimsInIdToken?: boolean;
}

export async function startIssuer({ port, redirectUri, claimsInIdToken = false }: IssuerOptions): Promise<OidcIssuer> {
  const url = `http://127.0.0.1:${port}`;
  const issuer: OidcIssuer = { url, person: { sub: 'ann', roles: [] }, stop: () => stopped(server) };
  const provider = new Provider(url, {
    clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [redirectUri] }],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    conformIdTokenClaims: !claimsInIdToken,
    claims: {
      openid: ['sub', 'roles', 'realm_access'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ ...issuer.person, sub }) }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    cookies: { keys: ['a-key-of-the-test'] },
    pkce: { required: () => true },
  });
  const handle = provider.callback();
  const server = createServer((request, response) => {
    if (!request.url!.startsWith('/interaction/')) return void handle(request, response);
    finish(provider, issuer, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return issuer;
}

/** Signs the person in and consents to everything. */
async function finish(
  provider: Provider,
  { person }: OidcIssuer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId: person.sub, clientId: CLIENT.id });
  grant.addOIDCScope(String(params['scope']));
  const result = { login: { accountId: person.sub }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function stopped(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
