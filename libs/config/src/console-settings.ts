// The settings of the console and of its sign-in with OpenID Connect.

import { z } from 'zod';
import { type Role, roles } from '#domain';
import { flag } from './setting-formats.js';

/** Values of a claim, comma-separated. */
const claimValues = z.string().transform((text) =>
  text
    .split(',')
    .map((value) => value.trim())
    .filter((value) => value !== ''),
);

const roleValues = (role: Role) =>
  claimValues.optional().describe(`Values of OIDC_ROLE_CLAIM that give the role \`${role}\`, comma-separated.`);

export const consoleSettings = {
  CONSOLE_ENABLED: flag.default(true).describe('`false` switches the console under `/console` off (docs/console.md).'),
  CONSOLE_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://carillon.example.com' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional()
    .describe(
      'The URL at which operators reach the console, without `/console`. Default: PUBLIC_URL. OIDC needs it with ' +
        'INTERNAL_PORT, because operators then sign in on that port only.',
    ),
  OIDC_ISSUER: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://login.example.com' })
    .optional()
    .describe(
      'The issuer of OpenID Connect with which operators sign in to the console. Unset: they use ADMIN_TOKEN. In ' +
        'production it must have https, except on loopback.',
    ),
  OIDC_CLIENT_ID: z.string().min(1).optional().describe('The client id of Carillon at the issuer.'),
  OIDC_CLIENT_SECRET: z
    .string()
    .min(1)
    .optional()
    .describe('The client secret of Carillon at the issuer. Unset: a public client, with PKCE alone.'),
  OIDC_NAME: z
    .string()
    .min(1)
    .max(60)
    .default('Single sign-on')
    .describe('The label of the button, such as the name of your identity provider.'),
  OIDC_SCOPES: z
    .string()
    .regex(/^openid( [\x21\x23-\x5b\x5d-\x7e]+)*$/, 'must be scopes separated by spaces, openid first')
    .default('openid profile email')
    .describe('The scopes that are asked for, separated by spaces. Some issuers need one for groups or roles.'),
  OIDC_ROLE_CLAIM: z
    .string()
    .min(1)
    .default('roles')
    .describe('The claim with the roles of the user, in the ID token or userinfo. Dots lead into objects.'),
  OIDC_VIEWER: roleValues('viewer'),
  OIDC_OPERATOR: roleValues('operator'),
  OIDC_ADMIN: roleValues('admin'),
};

type ConsoleSettings = z.infer<z.ZodObject<typeof consoleSettings>>;

export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly name: string;
  readonly scopes: string;
  readonly roleClaim: string;
  readonly roleValues: Readonly<Record<Role, readonly string[]>>;
}

export interface ConsoleConfig {
  readonly enabled: boolean;
  /** Without a trailing slash. */
  readonly url: string | undefined;
  /** Undefined: operators sign in with the admin token only. */
  readonly oidc: OidcConfig | undefined;
}

export function consoleOf(settings: ConsoleSettings & { PUBLIC_URL?: string | undefined }): ConsoleConfig {
  const { CONSOLE_ENABLED: enabled, OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId } = settings;
  const oidc = issuer && clientId ? { issuer, clientId, ...oidcDetails(settings) } : undefined;
  const url = settings.CONSOLE_URL ?? settings.PUBLIC_URL;
  return Object.freeze({ enabled, url, oidc: oidc && Object.freeze(oidc) });
}

function oidcDetails(settings: ConsoleSettings): Omit<OidcConfig, 'issuer' | 'clientId'> {
  return {
    clientSecret: settings.OIDC_CLIENT_SECRET,
    name: settings.OIDC_NAME,
    scopes: settings.OIDC_SCOPES,
    roleClaim: settings.OIDC_ROLE_CLAIM,
    roleValues: valuesByRole(settings),
  };
}

function valuesByRole({ OIDC_VIEWER, OIDC_OPERATOR, OIDC_ADMIN }: ConsoleSettings): Record<Role, readonly string[]> {
  return { viewer: OIDC_VIEWER ?? [], operator: OIDC_OPERATOR ?? [], admin: OIDC_ADMIN ?? [] };
}

/** Settings of OIDC that need another one which is missing. */
export function consoleFaults(
  settings: ConsoleSettings & { PUBLIC_URL?: string | undefined; INTERNAL_PORT?: number | undefined },
  isProduction: boolean,
): string[] {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, CONSOLE_URL, PUBLIC_URL, INTERNAL_PORT } = settings;
  const faults: string[] = [];
  if (issuer && !clientId) faults.push('OIDC_CLIENT_ID: is needed with OIDC_ISSUER');
  if (!issuer && clientId) faults.push('OIDC_ISSUER: is needed with OIDC_CLIENT_ID');
  if (!issuer) return faults;
  const { protocol, hostname } = new URL(issuer);
  if (isProduction && protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))
    faults.push(`OIDC_ISSUER: must have https in production, got ${JSON.stringify(issuer)}`);
  if (!CONSOLE_URL && (INTERNAL_PORT !== undefined || !PUBLIC_URL))
    faults.push('CONSOLE_URL: is needed with OIDC_ISSUER, for the address to which the issuer sends browsers back');
  const values = valuesByRole(settings);
  if (roles.every((role) => values[role].length === 0))
    faults.push('OIDC_ADMIN: with OIDC_ISSUER, one of OIDC_VIEWER, OIDC_OPERATOR and OIDC_ADMIN is needed');
  return faults;
}
