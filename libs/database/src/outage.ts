// Classifies errors of pg, pg-pool and Prisma by code, and by message only where there is no code.

import { DomainError } from '#domain';

/**
 * - `outage`: the server cannot be reached, refuses connections, is full or read-only, or did not answer in time. Try again later.
 * - `conflict`: another transaction won. Try again now.
 * - `data`: the values can never be written as they are.
 * - `bug`: a wrong statement, or an error that does not come from the database.
 */
export type DatabaseFault = 'outage' | 'conflict' | 'data' | 'bug';

/** Codes of Node for a connection that cannot be made or has ended. */
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
 * Classes of SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exception, operator intervention and
 * system error; insufficient resources; authorization refused and database missing, which both fail at connecting; statement time-out,
 * read-only transaction, idle and transaction time-outs.
 */
const OUTAGE_STATES = /^(08...|57P..|58...|53...|28...|3D000|57014|25006|25P03|25P04)$/;
/** Serialization failure, deadlock, and the other rollbacks that a retry settles; lock time-out. */
const CONFLICT_STATES = /^(40...|55P03)$/;
/** Data exception, constraint violation, value out of the limits of an index or a row. */
const DATA_STATES = /^(22|23|54)...$/;

/** Prisma: server not reached (P1xxx), no connection or transaction in time (P2024, P2028), too many connections (P2037). */
const OUTAGE_PRISMA = /^(P1\d{3}|P2024|P2028|P2037)$/;
/** Write conflict or deadlock. */
const CONFLICT_PRISMA = /^P2034$/;
/** Too long, constraint violations, a value that does not fit its column. */
const DATA_PRISMA = /^(P2000|P2002|P2003|P2007|P2011|P2020)$/;

/**
 * What pg 8 and pg-pool 3 throw without a code, whole messages: lib/client.js, lib/connection.js, pg-pool/index.js. The first two are
 * those of Prisma's adapter at COMMIT, which are wrapped nowhere.
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

/** How far `cause` and `errors` are followed. */
const MAX_DEPTH = 5;

/** What an error says of the database. Looks through Prisma's wrappers, `cause`, and the members of an AggregateError. */
export function databaseFault(error: unknown, depth = 0): DatabaseFault {
  if (!(error instanceof Error) || depth > MAX_DEPTH) return 'bug';
  if (error instanceof DomainError) return error.code === 'unavailable' ? 'outage' : 'bug';
  const { code, meta, cause, errors } = error as PossiblyWrapped;
  // Prisma has the code of the server inside: its own (P2010, P2039) says no more than that a query failed.
  const found =
    ofCode(meta?.driverAdapterError?.cause?.originalCode) ??
    ofCode(code) ??
    ofCode((cause as { originalCode?: unknown } | undefined)?.originalCode);
  if (found) return found;
  if (OUTAGE_MESSAGES.has(error.message)) return 'outage';
  // A host name with several addresses: it is an outage when none of them could be reached.
  if (Array.isArray(errors) && errors.length > 0) {
    const faults = errors.map((one) => databaseFault(one, depth + 1));
    return faults.every((fault) => fault === faults[0]) ? faults[0]! : 'bug';
  }
  return cause === undefined ? 'bug' : databaseFault(cause, depth + 1);
}

/** Whether an error from pg or Prisma means that the database is away (as against a wrong statement or bad data). */
export function isOutage(error: unknown): boolean {
  return databaseFault(error) === 'outage';
}

/** Whether the same may succeed later: the database is away, or another transaction won. */
export function isUnavailable(error: unknown): boolean {
  const fault = databaseFault(error);
  return fault === 'outage' || fault === 'conflict';
}

/** What a caller is answered while {@link isUnavailable}. Does not claim that nothing happened when a commit is uncertain. */
export function unavailableOf(cause: unknown): DomainError {
  return new DomainError('unavailable', unavailableMessage(cause), { retryAfterSeconds: 2, cause });
}

function unavailableMessage(error: unknown): string {
  if (isUnanswered(error))
    return 'The database did not confirm the request: it may have been carried out. Try again, with the same idempotency key.';
  return databaseFault(error) === 'conflict'
    ? 'Other requests changed the same data at the same time; nothing was accepted. Try again.'
    : 'The database cannot be reached; nothing was accepted. Try again.';
}

/** Of pg 8 and of Prisma's adapter at COMMIT, and of Node for a connection that was open: a statement may have been on its way. */
const UNANSWERED =
  /^(Connection terminated|Connection terminated unexpectedly|Query read timeout|ConnectionClosed|SocketTimeout)$/;
const UNANSWERED_CODES = /^(ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/;

/** Whether the connection was lost after the statement was sent: the commit is uncertain. An SQLSTATE means it was not committed. */
export function isUnanswered(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth <= MAX_DEPTH; at = at.cause, depth += 1) {
    const { code } = at as PossiblyWrapped;
    if (UNANSWERED.test(at.message) || (typeof code === 'string' && UNANSWERED_CODES.test(code))) return true;
  }
  return false;
}

/**
 * Whether a statement took too long: `undone` when the server said so, which has rolled it back then; `unanswered` when nothing came
 * in time, and it may have been carried out. Null for every other error.
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

/** Null for a code that decides nothing. */
function ofCode(code: unknown): DatabaseFault | null {
  if (typeof code !== 'string') return null;
  if (NETWORK_CODES.has(code) || OUTAGE_STATES.test(code) || OUTAGE_PRISMA.test(code)) return 'outage';
  if (CONFLICT_STATES.test(code) || CONFLICT_PRISMA.test(code)) return 'conflict';
  if (DATA_STATES.test(code) || DATA_PRISMA.test(code)) return 'data';
  return null;
}
