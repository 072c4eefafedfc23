import { CarillonError } from '#client';

/** A failed read is tried again only if the same request may succeed soon. After a time limit the person decides. */
export function retryRead(failures: number, error: unknown): boolean {
  if (failures >= 2 || !(error instanceof CarillonError) || error.code === 'timeout') return false;
  return error.status === undefined || error.status >= 500;
}

/** How long until a read is repeated. Not after the session has ended: each one would only be refused. */
export function refreshAfter(ms: number | false): (query: { state: { error: Error | null } }) => number | false {
  return ({ state: { error } }) => (error instanceof CarillonError && error.status === 401 ? false : ms);
}

/** A failed call, in words for a person. */
export interface Failure {
  title: string;
  text: string;
  /** The faults of the fields of a form, by JSON pointer: `/address`. */
  fields: Record<string, string>;
  requestId: string | undefined;
}

export function failureOf(error: unknown): Failure {
  if (!(error instanceof CarillonError))
    return { title: 'The console failed', text: messageOf(error), fields: {}, requestId: undefined };
  const fields = Object.fromEntries(error.errors.map(({ pointer, message }) => [pointer, message]));
  return { title: titleOf(error), text: textOf(error), fields, requestId: error.requestId };
}

/** The fault of a field, or of a value inside it with its place: for `/caps`, `0/limit must be at least 1`. */
export function faultAt(faults: Readonly<Record<string, string>>, pointer: string): string | undefined {
  if (pointer in faults) return faults[pointer];
  const found = Object.entries(faults).find(([at]) => at.startsWith(`${pointer}/`));
  return found && `${found[0].slice(pointer.length + 1)} ${found[1]}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function titleOf({ code, status }: CarillonError): string {
  switch (code) {
    case 'network_error':
      return 'Carillon cannot be reached';
    case 'timeout':
      return 'Carillon did not answer in time';
    case 'unauthenticated':
      return 'You are signed out';
    case 'forbidden':
      return 'You may not do this';
    case 'not_found':
      return 'Not found';
    case 'rate_limited':
      return 'Too many requests';
    case 'validation_failed':
      return 'Some values are not valid';
    default:
      return status !== undefined && status >= 500 ? 'Carillon could not answer' : 'That did not work';
  }
}

function textOf({ code, detail, errors, retryAfterSeconds }: CarillonError): string {
  if (code === 'network_error') return 'Check your connection and that Carillon is running, then try again.';
  // The detail of a single error is the error itself.
  const faults = errors
    .filter(({ message }) => !detail.includes(message))
    .map(({ pointer, message }) => `${pointer}: ${message}`);
  const texts = [detail, ...faults].map((text) => text.replace(/^\//, ''));
  const wait = retryAfterSeconds === undefined ? [] : [`Try again in ${retryAfterSeconds} s.`];
  return [...texts, ...wait].join(' ');
}
