import { createHash, type Hash, hash } from 'node:crypto';
import { validationFailed } from '#domain';
import type { CarillonRequest } from '../access/access.js';
import { withValue } from './request-schema.pipe.js';

/** The Idempotency-Key header, or null. Throws `validation_failed` when it is not 1 to 255 printable characters. */
export function idempotencyKeyOf(request: CarillonRequest): string | null {
  const header = request.headers['idempotency-key'];
  return header === undefined ? null : checkIdempotencyKey(header);
}

/** Returns the key. Throws `validation_failed` when it is not 1 to 255 printable characters. */
export function checkIdempotencyKey(key: unknown): string {
  if (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  const message = withValue('must be 1 to 255 printable ASCII characters', key);
  throw validationFailed([{ pointer: 'Idempotency-Key', code: 'invalid', message }]);
}

/** Returns the hexadecimal SHA-256 of the route and the body. The order of keys in the body makes no difference. */
export function bodyHashOf(route: string, body: unknown): string {
  const text = new HashedText();
  text.write(`${route}\n`);
  writeCanonical(body, text);
  return text.digest();
}

/** Characters that are buffered before they are hashed: the text of a large body is never in memory as a whole. */
const BUFFERED = 64 * 1024;

class HashedText {
  private text = '';
  private hash: Hash | undefined;

  write(text: string): void {
    this.text += text;
    if (this.text.length < BUFFERED) return;
    this.hash ??= createHash('sha256');
    this.hash.update(this.text);
    this.text = '';
  }

  digest(): string {
    return this.hash ? this.hash.update(this.text).digest('hex') : hash('sha256', this.text, 'hex');
  }
}

function writeCanonical(value: unknown, to: HashedText): void {
  if (Array.isArray(value)) {
    to.write('[');
    for (let index = 0; index < value.length; index += 1) {
      if (index > 0) to.write(',');
      writeCanonical(value[index], to);
    }
    to.write(']');
  } else if (typeof value === 'object' && value !== null) {
    const object = value as Record<string, unknown>;
    let separator = '{';
    for (const key of Object.keys(object).sort()) {
      to.write(`${separator}${JSON.stringify(key)}:`);
      writeCanonical(object[key], to);
      separator = ',';
    }
    to.write(separator === '{' ? '{}' : '}');
  } else to.write(JSON.stringify(value) ?? 'null');
}
