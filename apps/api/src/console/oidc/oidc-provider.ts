import { Inject, Injectable } from '@nestjs/common';
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
} from 'openid-client';
import type { Config, OidcConfig } from '#config';
import { cleanText, DomainError } from '#domain';
import type { Logger } from '#telemetry';
import { CONFIG, LOGGER } from '../../tokens.js';

/** For each request to the issuer. */
const TIMEOUT_SECONDS = 5;
/** The addresses and keys of the issuer are read again after this time. */
const KNOWN_MS = 3_600_000;

/** The values that the start of a sign-in and its end share. */
export interface SignInSecrets {
  state: string;
  nonce: string;
  codeVerifier: string;
}

export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string };

/** The OpenID Connect provider of OIDC_ISSUER: authorization code flow with PKCE, state and nonce. */
@Injectable()
export class OidcProvider {
  private known: { configuration: Configuration; readAt: number } | undefined;
  /** Anyone may begin sign-ins; those at the same time share one request to the issuer. */
  private reading: Promise<Configuration> | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  get isConfigured(): boolean {
    return this.config.console.oidc !== undefined;
  }

  get settings(): OidcConfig {
    return this.config.console.oidc!;
  }

  /** Where the provider sends the browser back. Known: OIDC_ISSUER needs the setting. */
  private get redirectUri(): string {
    return `${this.config.console.url}/console/oidc/callback`;
  }

  /** The address at which the person signs in. Throws `unavailable`. */
  async signInAddress({ state, nonce, codeVerifier }: SignInSecrets): Promise<string> {
    const configuration = await this.configuration();
    const challenge = await calculatePKCECodeChallenge(codeVerifier);
    return buildAuthorizationUrl(configuration, {
      redirect_uri: this.redirectUri,
      scope: this.settings.scopes,
      state,
      nonce,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    }).href;
  }

  /**
   * The verified claims of the person whom the provider has sent back with this query. Throws `unauthenticated` for
   * an answer that is not valid, was used before or is a refusal, and `unavailable`.
   */
  async claimsOf(query: string, { state, nonce, codeVerifier }: SignInSecrets): Promise<Claims> {
    const configuration = await this.configuration();
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
    try {
      const tokens = await authorizationCodeGrant(configuration, new URL(`${this.redirectUri}${query}`), checks);
      const claims = tokens.claims()!;
      // Providers have most claims in userinfo only.
      if (configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
      return { ...(await fetchUserInfo(configuration, tokens.access_token, claims.sub)), ...claims };
    } catch (error) {
      throw this.refusalOf(error);
    }
  }

  private async configuration(): Promise<Configuration> {
    if (this.known && performance.now() - this.known.readAt < KNOWN_MS) return this.known.configuration;
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return await this.reading;
  }

  private async read(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.settings;
    const isInsecure = issuer.startsWith('http:');
    try {
      const configuration = await discovery(new URL(issuer), clientId, clientSecret, undefined, {
        timeout: TIMEOUT_SECONDS,
        execute: [enableNonRepudiationChecks, ...(isInsecure ? [allowInsecureRequests] : [])],
      });
      this.known = { configuration, readAt: performance.now() };
      return configuration;
    } catch (error) {
      this.logger.warn({ err: error }, 'the issuer of OIDC could not be read');
      throw this.unavailable(error);
    }
  }

  private refusalOf(error: unknown): DomainError {
    if (error instanceof AuthorizationResponseError) {
      const description = error.error_description === undefined ? '' : ` (${error.error_description})`;
      const detail = cleanText(`${error.error}${description}`, 200);
      return new DomainError('unauthenticated', `${this.settings.name} refused the sign-in: ${detail}.`);
    }
    const { code, name } = error as { code?: string; name?: string };
    // Not the error itself: its cause may have tokens.
    this.logger.warn({ reason: code ?? name }, 'a sign-in with OIDC failed');
    if (error instanceof TypeError || code === 'OAUTH_TIMEOUT' || code === 'OAUTH_RESPONSE_IS_NOT_CONFORM')
      return this.unavailable(error);
    return new DomainError('unauthenticated', 'The answer of the sign-in is not valid, or it was used before.');
  }

  private unavailable(cause: unknown): DomainError {
    const detail = `${this.settings.name} cannot be reached, so the sign-in is not possible now. Try again later.`;
    return new DomainError('unavailable', detail, { retryAfterSeconds: 10, cause });
  }
}

/** The texts of a claim: a text or a list of texts. Its name is one, or a path into objects with dots. */
export function valuesOf(claims: Readonly<Record<string, unknown>>, name: string): string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : name.split('.').reduce(fieldOf, claims);
  return [value].flat().filter((each): each is string => typeof each === 'string');
}

function fieldOf(at: unknown, key: string): unknown {
  return typeof at === 'object' && at !== null && Object.hasOwn(at, key)
    ? (at as Record<string, unknown>)[key]
    : undefined;
}
