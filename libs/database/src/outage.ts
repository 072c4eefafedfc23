// Classifies errors of pg, pg-pool and Prisma by code, and by message only where there is no code.

import { DomainError } from '#domain';

/**
 * - `outage`: the server cannot be reached, rejects connections, is full or read-only, or timed out. Retry later.
 * - `conflict`: another transaction won. Retry now.
 * - `data`: these values can never be written.
 * - `bug`: a wrong statement, or an error that does not come from the database.
 */
export type DatabaseFault = 'outage' | 'conflict' | 'data' | 'bug';

/** Node's codes for a connection that cannot be made or has ended. */
const NETWORK_CODES: ReadonlySet<string> = new Set([
  'EADDRNOTAVAIL',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENFILE',
  'ENOTCONN',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exception (08), operator
 * intervention (57P) and system error (58); insufficient resources (53); invalid authorization (28) and missing
 * database (3D000), which both occur at connecting; statement time-out (57014), read-only transaction (25006), idle
 * and transaction time-outs (25P03, 25P04).
 */
const OUTAGE_STATES = /^(08...|57P..|58...|53...|28...|3D000|57014|25006|25P03|25P04)$/;
/** Serialization failure, deadlock and other rollbacks that a retry resolves (40); lock time-out (55P03). */
const CONFLICT_STATES = /^(40...|55P03)$/;
/** Data exception (22), constraint violation (23), value too large for an index or a row (54). */
const DATA_STATES = /^(22|23|54)...$/;

/** Prisma: server unreachable (P1xxx), no connection or transaction in time (P2024, P2028), too many (P2037). */
const OUTAGE_PRISMA = /^(P1\d{3}|P2024|P2028|P2037)$/;
/** Write conflict or deadlock. */
const CONFLICT_PRISMA = /^P2034$/;
/** Too long, constraint violations, a value that does not fit its column. */
const DATA_PRISMA = /^(P2000|P2002|P2003|P2007|P2011|P2020)$/;

/**
 * Full messages of the errors that pg 8 and pg-pool 3 throw without a code, from lib/client.js, lib/connection.js and
 * pg-pool/index.js. The first two are errors of Prisma's adapter at COMMIT, which Prisma does not wrap.
 */
const OUTAGE_MESSAGES: ReadonlySet<string> = new Set([
  'ConnectionClosed',
  'SocketTimeout',
  'Cannot use a pool after calling end on the pool',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'Query read timeout',
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
  'timeout exceeded when trying to connect',
  'timeout expired',
]);

/** The depth to which `cause` and `errors` are followed. */
const MAX_DEPTH = 5;

/** Classifies an error. Looks into Prisma's wrappers, `cause`, and the members of an AggregateError. */
export function databaseFault(error: unknown, depth = 0): DatabaseFault {
  if (!(error instanceof Error) || depth > MAX_DEPTH) return 'bug';
  if (error instanceof DomainError) return error.code === 'unavailable' ? 'outage' : 'bug';
  const { code, meta, cause, errors } = error as PossiblyWrapped;
  // The server's code is inside Prisma's error: Prisma's own code (P2010, P2039) only says that a query failed.
  const found =
    ofCode(meta?.driverAdapterError?.cause?.originalCode) ??
    ofCode(code) ??
    ofCode((cause as { originalCode?: unknown } | undefined)?.originalCode);
  if (found) return found;
  if (OUTAGE_MESSAGES.has(error.message)) return 'outage';
  // A host name with several addresses: the members agree if none of the addresses could be reached.
  if (Array.isArray(errors) && errors.length > 0) {
    const faults = errors.map((one) => databaseFault(one, depth + 1));
    return faults.every((fault) => fault === faults[0]) ? faults[0]! : 'bug';
  }
  return cause === undefined ? 'bug' : databaseFault(cause, depth + 1);
}

/** Whether an error of pg or Prisma means that the database is unavailable. */
export function isOutage(error: unknown): boolean {
  return databaseFault(error) === 'outage';
}

/** Whether a retry may succeed: the database is unavailable, or another transaction won. */
export function isUnavailable(error: unknown): boolean {
  const fault = databaseFault(error);
  return fault === 'outage' || fault === 'conflict';
}

/**
 * The error of the API for an {@link isUnavailable} error. Does not claim that nothing happened if a commit is
 * uncertain.
 */
export function unavailableOf(cause: unknown): DomainError {
  return new DomainError('unavailable', unavailableMessage(cause), { retryAfterSeconds: 2, cause });
}

const UNCERTAIN =
  'The database did not confirm the request: it may have been carried out. Try again with the same idempotency key.';

function unavailableMessage(error: unknown): string {
  if (isUnanswered(error)) return UNCERTAIN;
  if (timeoutOf(error) === 'undone') return 'The database took too long; nothing was accepted. Try again.';
  return databaseFault(error) === 'conflict'
    ? 'Other requests changed the same data at the same time; nothing was accepted. Try again.'
    : 'The database cannot be reached; nothing was accepted. Try again.';
}

/** Errors of an open connection, from pg 8, Prisma's adapter at COMMIT and Node: a statement may have been sent. */
const UNANSWERED =
  /^(Connection terminated|Connection terminated unexpectedly|Query read timeout|ConnectionClosed|SocketTimeout)$/;
const UNANSWERED_CODES = /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/;

/**
 * Whether the connection was lost after the statement was sent, so that its commit is uncertain. An error with an
 * SQLSTATE means that it was not committed.
 */
export function isUnanswered(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth <= MAX_DEPTH; at = at.cause, depth += 1) {
    const { code } = at as PossiblyWrapped;
    if (UNANSWERED.test(at.message) || (typeof code === 'string' && UNANSWERED_CODES.test(code))) return true;
  }
  return false;
}

/**
 * Whether a statement timed out: `undone` if the server reported it and so has rolled the statement back, `unanswered`
 * if no response came in time and the statement may have been committed. Null for every other error.
 */
export function timeoutOf(error: unknown): 'undone' | 'unanswered' | null {
  for (let at = error, depth = 0; at instanceof Error && depth <= MAX_DEPTH; at = at.cause, depth += 1) {
    if ((at as PossiblyWrapped).code === '57014') return 'undone';
    if (at.message === 'Query read timeout') return 'unanswered';
  }
  return null;
}

interface PossiblyWrapped {
  code?: unknown;
  meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } };
  cause?: unknown;
  errors?: unknown;
}

/** Null for an unknown code. */
function ofCode(code: unknown): DatabaseFault | null {
  if (typeof code !== 'string') return null;
  if (NETWORK_CODES.has(code) || OUTAGE_STATES.test(code) || OUTAGE_PRISMA.test(code)) return 'outage';
  if (CONFLICT_STATES.test(code) || CONFLICT_PRISMA.test(code)) return 'conflict';
  if (DATA_STATES.test(code) || DATA_PRISMA.test(code)) return 'data';
  return null;
}

/** The number of times that a transaction runs again. */
const MAX_CONFLICTS = 5;

/**
 * Runs one transaction, and runs it again at once after a conflict, such as a deadlock: it wrote nothing. Throws the
 * error of the sixth run, and every other error.
 */
export async function repeatConflicts<T>(transaction: () => Promise<T>): Promise<T> {
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      return await transaction();
    } catch (error) {
      if (databaseFault(error) !== 'conflict' || conflicts === MAX_CONFLICTS) throw error;
    }
  }
}
