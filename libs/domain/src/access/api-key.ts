// The format of an API key: `car_live_<id 8><secret 30><crc 6>`, base62. It is published in docs/architecture.md, so
// that secret scanners find leaked keys: car_(live|test)_[0-9A-Za-z]{44}

import { createHmac, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const FORM = /^car_(live|test)_([0-9A-Za-z]{8})([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/;

interface KeyParts {
  /** The part that is stored as it is and names the key. */
  keyId: string;
  secret: string;
}

export interface ParsedKey extends KeyParts {
  mode: 'live' | 'test';
}

/** The random parts of a new key; the secret has 30 base62 characters, which are 178 bits. */
export function newKeyParts(): KeyParts {
  return { keyId: randomText(8), secret: randomText(30) };
}

/** The key as its user sends it. */
export function apiKeyText(mode: 'live' | 'test', { keyId, secret }: KeyParts): string {
  const body = `car_${mode}_${keyId}${secret}`;
  return body + checksum(body);
}

export function newApiKey(mode: 'live' | 'test'): ParsedKey & { text: string } {
  const parts = newKeyParts();
  return { mode, ...parts, text: apiKeyText(mode, parts) };
}

/** Parses a key; null if its format or checksum is wrong. Needs no database. */
export function parseApiKey(text: string): ParsedKey | null {
  const found = FORM.exec(text);
  if (!found) return null;
  const [, mode, keyId, secret, crc] = found as unknown as [string, 'live' | 'test', string, string, string];
  return crc === checksum(text.slice(0, -6)) ? { mode, keyId, secret } : null;
}

/**
 * The stored form of a secret. A fast hash is enough because the secret is random; a slow one would make floods of
 * requests costly.
 */
export function hashSecret(pepper: Buffer, secret: string): Buffer {
  return createHmac('sha256', pepper).update(secret).digest();
}

function randomText(length: number): string {
  let text = '';
  for (let index = 0; index < length; index += 1) text += ALPHABET[randomInt(ALPHABET.length)];
  return text;
}

/** CRC-32 (as in zip and PNG) in six base62 digits. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let index = 0; index < 6; index += 1) {
    digits = ALPHABET[rest % 62]! + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}
