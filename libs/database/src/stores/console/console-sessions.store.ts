import { newId, PLATFORM_TENANT_ID, type Role } from '#domain';
import type { Database } from '../../database.js';
import { type AuditNote, writeAudit } from '../audit/audit-entry.js';

interface SessionOfKey {
  kind: 'api_key';
  /** The tenant whose data the key reads and writes. */
  tenantId: string;
  keyId: string;
  role: null;
  credentialHash: null;
}

interface SessionOfOperator {
  kind: 'operator_token' | 'oidc';
  /** {@link PLATFORM_TENANT_ID} */
  tenantId: string;
  keyId: null;
  role: Role;
  /** The session ends when the credential with this hash is no longer valid. */
  credentialHash: Buffer;
}

/** A session of the console, of a tenant or of an operator. */
export type KnownSession = (SessionOfKey | SessionOfOperator) & {
  id: string;
  /** Of the person or the key, for the console and the audit log. */
  name: string;
  expiresAt: Date;
};

export type NewSession = (
  | Pick<SessionOfKey, 'kind' | 'tenantId' | 'keyId'>
  | Pick<SessionOfOperator, 'kind' | 'role' | 'credentialHash'>
) & {
  name: string;
  /** Of the API key, which the session does not outlive. */
  credentialExpiresAt: Date | null;
  /** The user at the OIDC provider, for the audit log. */
  subject: string | null;
};

/** A session ends this long after the sign-in, and earlier without requests. */
export const SESSION_HOURS = 12;
const IDLE = "interval '2 hours'";

/** Sessions of the console. All times are those of the database. */
export class ConsoleSessionsStore {
  constructor(private readonly database: Database) {}

  /** `tokenHash`: base64url of SHA-256 of the token. */
  async create(tokenHash: string, session: NewSession, audit: AuditNote | null): Promise<KnownSession> {
    const { kind, name, credentialExpiresAt, subject } = session;
    const isOfKey = session.kind === 'api_key';
    const tenantId = isOfKey ? session.tenantId : PLATFORM_TENANT_ID;
    const keyId = isOfKey ? session.keyId : null;
    const role = isOfKey ? null : session.role;
    const credentialHash = isOfKey ? null : session.credentialHash;
    const id = newId();
    return await this.database.asPlatform(async (prisma) => {
      const [row] = await prisma.$queryRaw<{ expiresAt: Date }[]>`
        insert into console_sessions
          (tenant_id, id, token_hash, kind, name, role, key_id, credential_hash, expires_at)
        values (${tenantId}::uuid, ${id}::uuid, ${tokenHash}, ${kind}, ${name}, ${role}, ${keyId},
                ${credentialHash && new Uint8Array(credentialHash)},
                least(now() + make_interval(hours => ${SESSION_HOURS}::int), ${credentialExpiresAt}::timestamptz))
        returning expires_at as "expiresAt"`;
      const after = { kind, name, role, subject };
      await writeAudit(prisma, audit, { tenantId, subject: id, after });
      return { tenantId, id, kind, name, role, keyId, credentialHash, expiresAt: row!.expiresAt } as KnownSession;
    });
  }

  /** Does nothing if the session has ended. Index: console_sessions_pkey. */
  async end({ tenantId, id, kind, name, role }: KnownSession, audit: AuditNote | null): Promise<void> {
    await this.database.asPlatform(async (prisma) => {
      const { count } = await prisma.consoleSession.deleteMany({ where: { tenantId, id } });
      if (count > 0) await writeAudit(prisma, audit, { tenantId, subject: id, before: { kind, name, role } });
    });
  }

  /**
   * The sessions with these hashes that have not expired, by hash. As the platform, because the token determines the
   * session. Index: console_sessions_token_hash_key.
   */
  async find(tokenHashes: string[]): Promise<Map<string, KnownSession>> {
    const rows = await this.database.platform.query<KnownSession & { tokenHash: string }>({
      name: 'find_console_sessions',
      text: `select tenant_id as "tenantId", id, token_hash as "tokenHash", kind, name, role, key_id as "keyId",
                    credential_hash as "credentialHash", expires_at as "expiresAt"
             from console_sessions
             where token_hash = any ($1) and expires_at > now() and used_at > now() - ${IDLE}`,
      values: [tokenHashes],
    });
    return new Map(rows.map(({ tokenHash, ...session }) => [tokenHash, session]));
  }

  /** Sets the time of last use. Index: console_sessions_token_hash_key. */
  async touch(tokenHashes: string[]): Promise<void> {
    if (tokenHashes.length === 0) return;
    await this.database.platform.query({
      name: 'touch_console_sessions',
      text: 'update console_sessions set used_at = now() where token_hash = any ($1)',
      values: [tokenHashes],
    });
  }
}
