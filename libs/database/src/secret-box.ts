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
 * hexadecimal digits of the master key's SHA-256; it distinguishes a wrong master key from a damaged row.
 */
export class SecretBox {
  private readonly keyId: string;

  constructor(private readonly masterKey: Buffer) {
    if (masterKey.length !== KEY_BYTES) throw new TypeError('the master key must be 32 bytes');
    this.keyId = createHash('sha256').update(masterKey).digest('hex').slice(0, 8);
  }

  seal(secret: string, place: SecretPlace): string {
    const context = associatedData(place);
    const dataKey = randomBytes(KEY_BYTES);
    const parts = [encrypt(this.masterKey, dataKey, context), encrypt(dataKey, Buffer.from(secret, 'utf8'), context)];
    return ['v1', this.keyId, ...parts.map((part) => part.toString('base64url'))].join('.');
  }

  /**
   * Throws {@link WrongMasterKey} if the text was sealed under another master key, and an Error if it was sealed for
   * another row or changed.
   */
  open(sealed: string, place: SecretPlace): string {
    const [version, keyId, wrappedKey, body] = sealed.split('.');
    if (version !== 'v1' || !wrappedKey || !body) throw new Error(`${place.table} ${place.id}: not a sealed secret`);
    if (keyId !== this.keyId) {
      throw new WrongMasterKey(
        `${place.table} ${place.id} was sealed under master key ${keyId}, this process has ${this.keyId}`,
      );
    }
    const context = associatedData(place);
    const dataKey = decrypt(this.masterKey, Buffer.from(wrappedKey, 'base64url'), context);
    return decrypt(dataKey, Buffer.from(body, 'base64url'), context).toString('utf8');
  }

  /** A 32-byte key for another purpose, derived from the master key (HKDF-SHA-256, RFC 5869). */
  derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.masterKey, Buffer.alloc(0), `carillon/${purpose}`, KEY_BYTES));
  }
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
