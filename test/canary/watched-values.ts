// The secrets, addresses and payloads of a test file, taken from its requests. They must not be in logs, metrics,
// traces or the problems of other callers; see find-leaks.ts for the tables.

/** API keys, webhook secrets and recipient tokens, recognized by their form. */
const SECRETS = [
  /car_(?:live|test)_[0-9A-Za-z]{44}/g,
  /whsec_[A-Za-z0-9+/]{30,}=*/g,
  /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}/g,
];
/** E-mail addresses and phone numbers. */
const ADDRESSES = [/[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}/gi, /\+[1-9]\d{9,14}/g];

/** `<delivery>.1@example.com` is the id of a message. */
const MESSAGE_ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
/** The example in an error about a wrong number. */
const EXAMPLE = '+15005550000';

/** Shorter texts occur by chance. */
const MIN_LENGTH = 8;
/** Bulk tests send thousands of payloads; more than these are not watched. */
const MAX_VALUES = 2_000;
const SECRET_NAME = /^(?!.*(public|_id$)).*(key|token|secret|password|auth)/i;

export class WatchedValues {
  /** Values of credentials by name of their field, and tokens of the operator. */
  readonly secrets = new Set<string>();
  readonly payloads = new Set<string>();
  private readonly problems: string[] = [];

  /** Watches a secret that has no form of its own. */
  watchSecret(value: string): void {
    // A mask comes back in a change that keeps the secret.
    if (value.length >= MIN_LENGTH && !value.startsWith('••••')) this.secrets.add(value);
  }

  /** Watches the payloads and credentials in the body of a request. */
  watchRequest(body: unknown): void {
    if (Array.isArray(body)) for (const item of body) this.watchRequest(item);
    else if (typeof body === 'object' && body !== null) {
      for (const [name, value] of Object.entries(body)) {
        if (name === 'payload') for (const { text } of textsIn(value)) this.watchPayload(text);
        else if (name === 'credentials')
          for (const { text, field } of textsIn(value))
            if (SECRET_NAME.test(field) && !isNameOfAccount(body, field)) this.watchSecret(text);
            else this.watchRequest(value);
      }
    }
  }

  /** Checks that the answer to a request that failed has nothing but what the request itself had. */
  checkProblem(request: string, problem: string): void {
    for (const value of [...this.secretsIn(problem), ...this.addressesIn(problem), ...this.payloadsIn(problem)])
      if (!request.includes(value) && value !== EXAMPLE)
        this.problems.push(`a problem has ${value}: ${problem.slice(0, 300)}`);
  }

  problemLeaks(): string[] {
    return this.problems;
  }

  secretsIn(text: string): string[] {
    return [...matches(SECRETS, text), ...[...this.secrets].filter((value) => text.includes(value))];
  }

  addressesIn(text: string): string[] {
    return matches(ADDRESSES, text).filter((address) => !MESSAGE_ID.test(address));
  }

  payloadsIn(text: string): string[] {
    return [...this.payloads].filter((value) => text.includes(value));
  }

  private watchPayload(text: string): void {
    if (text.length >= MIN_LENGTH && this.payloads.size < MAX_VALUES) this.payloads.add(text);
  }
}

/** Of the test file that this process runs. */
export const watched = new WatchedValues();

function matches(patterns: readonly RegExp[], text: string): string[] {
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([found]) => found));
}

/** The texts in a value, with the name of their field. */
function textsIn(value: unknown, field = ''): { text: string; field: string }[] {
  if (typeof value === 'string') return [{ text: value, field }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => textsIn(inner, name));
}

/** Vonage calls the name of an account `api_key`; the secret is `api_secret`. */
function isNameOfAccount(body: object, field: string): boolean {
  return field === 'api_key' && 'provider' in body && body.provider === 'vonage';
}
