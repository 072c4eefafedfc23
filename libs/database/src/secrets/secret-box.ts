import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** The row of a secret. The secret opens only for the same row, so that rows cannot be swapped. */
export interface SecretPlace {
  tenantId: string;
  table: string;
  id: string;
}

/** The secret was sealed under a master key that this process does not have. */
export class WrongMasterKey extends Error {
  override readonly name = 'WrongMasterKey';
}

/**
 * Seals secrets at rest: AES-256-GCM (NIST SP 800-38D) under a random data key per secret, itself sealed by the master
 * key. The sealed text is `v1.<key id>.<sealed data key>.<sealed secret>`, base64url. The key id is the first 8
 * hexadecimal digits of the master key's SHA-256: it selects the key that opens the text, and distinguishes a missing
 * master key from a damaged row.
 *
 * Seals under the current master key; opens under the current one and the previous ones (MASTER_KEY_PREVIOUS).
 */
export class SecretBox {
  /** The key id of the current master key. */
  readonly keyId: string;
  /** Those of MASTER_KEY_PREVIOUS. */
  readonly previousKeyIds: readonly string[];
  private readonly masterKeys: ReadonlyMap<string, Buffer>;

  constructor(
    private readonly masterKey: Buffer,
    previousKeys: readonly Buffer[] = [],
  ) {
    const keys = [...previousKeys, masterKey];
    if (keys.some(({ length }) => length !== KEY_BYTES)) throw new TypeError('a master key must be 32 bytes');
    this.keyId = keyIdOf(masterKey);
    this.previousKeyIds = previousKeys.map(keyIdOf).filter((id) => id !== this.keyId);
    this.masterKeys = new Map(keys.map((key) => [keyIdOf(key), key]));
  }

  seal(secret: string, place: SecretPlace): string {
    const context = associatedData(place);
    const dataKey = randomBytes(KEY_BYTES);
    return this.join(dataKey, encrypt(dataKey, Buffer.from(secret, 'utf8'), context).toString('base64url'), context);
  }

  /**
   * Throws {@link WrongMasterKey} if the text was sealed under a master key that this process does not have, and an
   * Error if it was sealed for another row or changed.
   */
  open(sealed: string, place: SecretPlace): string {
    const { dataKey, body, context } = this.unwrap(sealed, place);
    return decrypt(dataKey, Buffer.from(body, 'base64url'), context).toString('utf8');
  }

  /**
   * The same secret with its data key sealed under the current master key. The secret itself is not decrypted. Throws
   * like {@link open}, but does not notice a change of the sealed secret.
   */
  rewrap(sealed: string, place: SecretPlace): string {
    const { dataKey, body, context } = this.unwrap(sealed, place);
    return this.join(dataKey, body, context);
  }

  /** A 32-byte key for another purpose, derived from a master key (HKDF-SHA-256, RFC 5869). */
  derive(purpose: string, keyId = this.keyId): Buffer {
    const masterKey = this.masterKeys.get(keyId);
    if (!masterKey) throw new WrongMasterKey(`this process does not have the master key ${keyId}`);
    return Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), `carillon/${purpose}`, KEY_BYTES));
  }

  private unwrap(sealed: string, place: SecretPlace): { dataKey: Buffer; body: string; context: Buffer } {
    const [version, keyId, wrappedKey, body] = sealed.split('.');
    if (version !== 'v1' || !keyId || !wrappedKey || !body)
      throw new Error(`${place.table} ${place.id}: not a sealed secret`);
    const masterKey = this.masterKeys.get(keyId);
    if (!masterKey) {
      const known = [...this.masterKeys.keys()].join(', ');
      throw new WrongMasterKey(
        `${place.table} ${place.id} was sealed under master key ${keyId}, this process has ${known}`,
      );
    }
    const context = associatedData(place);
    return { dataKey: decrypt(masterKey, Buffer.from(wrappedKey, 'base64url'), context), body, context };
  }

  private join(dataKey: Buffer, body: string, context: Buffer): string {
    return ['v1', this.keyId, encrypt(this.masterKey, dataKey, context).toString('base64url'), body].join('.');
  }
}

/** The id of the master key that a sealed text needs. */
export function keyIdOfSealed(sealed: string): string | undefined {
  return sealed.split('.')[1];
}

function keyIdOf(masterKey: Buffer): string {
  return createHash('sha256').update(masterKey).digest('hex').slice(0, 8);
}

function associatedData(place: SecretPlace): Buffer {
  return Buffer.from(`${place.tenantId}|${place.table}|${place.id}`, 'utf8');
}

function encrypt(key: Buffer, clear: Buffer, context: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(context);
  return Buffer.concat([nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, context: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(context)
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
}
