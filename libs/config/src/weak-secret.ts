const KNOWN_DEFAULT_TOKENS = /^(admin|secret|password|changeme|change-me|token|test|default|example)+[-_0-9]*$/i;

/** A text that repeats after 16 bytes or fewer has at most 16. 32 random bytes have 30, with hardly a repetition. */
const MIN_DIFFERENT = 17;

/**
 * Whether a secret is too regular to be random: one byte or a short text repeated, or a sequence such as
 * `0123456789abcdef`. Counts the different pairs of neighbouring steps; a step is the difference between two
 * neighbouring bytes. Repetitions and sequences have few. Counting different bytes, as Django does for SECRET_KEY
 * (security.W009), would accept sequences. A secret of fewer than 19 bytes is always weak. Words are not recognized.
 */
export function isWeakSecret(secret: Uint8Array): boolean {
  const bytes = [...secret];
  const steps = bytes.slice(1).map((byte, index) => byte - bytes[index]!);
  const pairs = new Set(steps.slice(1).map((step, index) => `${steps[index]} ${step}`));
  return pairs.size < MIN_DIFFERENT;
}

/** Why a token may not be used in production, or null. */
export function weakTokenFault(token: string): string | null {
  if (Buffer.byteLength(token) < 32) return 'must be 32 bytes or more in production';
  if (KNOWN_DEFAULT_TOKENS.test(token)) return 'must not be a well-known default in production';
  return isWeakSecret(Buffer.from(token)) ? tooRegular('openssl rand -hex 24') : null;
}

export function tooRegular(command: string): string {
  return `must be random in production, and this one is repetitive or a sequence (\`${command}\` makes a good one)`;
}
