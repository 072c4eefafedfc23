import { connect, type LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { DomainError } from '#domain';
import { type DatabaseFault, databaseFault, isOutage, isUnanswered, unavailableOf } from './outage.js';

const coded = (code: string): Error => Object.assign(new Error('something'), { code });
const prisma = (code: string, originalCode?: string): Error =>
  Object.assign(new Error('Invalid `prisma.x()` invocation'), {
    code,
    meta: { driverAdapterError: { cause: { kind: 'postgres', ...(originalCode && { originalCode }) } } },
  });

/** As Prisma's adapter throws it at COMMIT: without a wrapper. */
const ofAdapter = (cause: { kind: string; originalCode?: string }): Error => new Error(cause.kind, { cause });

const table: Record<DatabaseFault, Record<string, Error>> = {
  outage: {
    ...Object.fromEntries(
      [
        ['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'EMFILE'],
        ['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET', 'EADDRNOTAVAIL'],
        ['08000', '08003', '08006', '08P01', '28000', '28P01', '3D000', '53000', '53100', '53200', '53300'],
        ['57P01', '57P02', '57P03', '57P05', '58000', '58030', '57014', '25006', '25P03', '25P04'],
      ]
        .flat()
        .map((code) => [code, coded(code)]),
    ),
    'pg: lost in a query': new Error('Connection terminated unexpectedly'),
    'pg: query time-out': new Error('Query read timeout'),
    'pg: connect time-out': new Error('timeout expired'),
    'pg: lost before the query': new Error('Client has encountered a connection error and is not queryable'),
    'pg-pool: exhausted': new Error('timeout exceeded when trying to connect'),
    'pg-pool: connect time-out': new Error('Connection terminated due to connection timeout', {
      cause: new Error('Connection terminated unexpectedly'),
    }),
    'Prisma: not reached': prisma('P1001'),
    'Prisma: connection closed': prisma('P1017'),
    'Prisma: connection lost at COMMIT': ofAdapter({ kind: 'ConnectionClosed' }),
    'Prisma: no answer to COMMIT': ofAdapter({ kind: 'SocketTimeout' }),
    'Prisma: server shut down at COMMIT': ofAdapter({ kind: 'postgres', originalCode: '57P01' }),
    'Prisma: no transaction in time': prisma('P2028'),
    'Prisma: raw query, server shut down': prisma('P2010', '57P01'),
    'Prisma: model query, read-only': prisma('P2039', '25006'),
    'every address refused': new AggregateError([coded('ECONNREFUSED'), coded('ENETUNREACH')]),
    'wrapped twice': new Error('load failed', { cause: new Error('query failed', { cause: coded('EHOSTUNREACH') }) }),
    'the wrapper of this lib': new DomainError('unavailable', 'away'),
  },
  conflict: {
    'lock time-out': coded('55P03'),
    deadlock: coded('40P01'),
    serialization: coded('40001'),
    Prisma: prisma('P2034', '40001'),
  },
  data: {
    'NUL byte': coded('22021'),
    'text of no number': coded('22P02'),
    'NUL in jsonb': coded('22P05'),
    'unique key': coded('23505'),
    'row too large for an index': coded('54000'),
    'Prisma: NUL byte': prisma('P2039', '22021'),
    'Prisma: unique key': prisma('P2002'),
  },
  bug: {
    'no such column': coded('42703'),
    'internal error': coded('XX000'),
    'a message that only sounds like it': new Error('the template has a timeout of 3 s and was terminated'),
    'a file that is missing': coded('ENOENT'),
    'a five-letter code that is none': coded('EBUSY'),
    'an error of the caller': new DomainError('validation_failed', 'wrong'),
    'one address of two fails otherwise': new AggregateError([coded('ECONNREFUSED'), new TypeError('x')]),
    'a bug': new TypeError('Cannot read properties of undefined'),
  },
};

describe('the classification of errors', () => {
  for (const [fault, errors] of Object.entries(table))
    it.each(Object.entries(errors))(`${fault}: %s`, (_name, error) => {
      expect(databaseFault(error)).toBe(fault);
      expect(isOutage(error)).toBe(fault === 'outage');
    });

  it('outage: the error that Node throws for a name with several addresses', async () => {
    const lookup = ((_host, _options, callback) =>
      callback(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ])) as LookupFunction;
    const error = await new Promise((resolve) => {
      // Port 1 of loopback: nothing listens there.
      connect({ host: 'database.test', port: 1, lookup, autoSelectFamily: true }).on('error', resolve);
    });
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as Error).message).toBe('');
    expect(isOutage(error)).toBe(true);
  });

  it('bug: values that are not errors, and errors that are each other’s cause', () => {
    const [one, two] = [new Error('one'), new Error('two')];
    Object.assign(one, { cause: two });
    Object.assign(two, { cause: one });
    for (const thrown of [one, 'text', null, undefined, { code: 'ECONNREFUSED' }])
      expect(databaseFault(thrown)).toBe('bug');
  });
});

describe('whether a statement may have been committed', () => {
  it.each([
    ['lost in a query', new Error('Connection terminated unexpectedly'), true],
    ['time-out of a query', new DomainError('unavailable', 'away', { cause: new Error('Query read timeout') }), true],
    ['reset', coded('ECONNRESET'), true],
    ['time-out of the server', coded('57014'), false],
    ['refused', coded('ECONNREFUSED'), false],
    ['no connection in time', new Error('timeout exceeded when trying to connect'), false],
    ['bad data', coded('22021'), false],
  ])('%s: %s', (_name, error, unanswered) => {
    expect(isUnanswered(error)).toBe(unanswered);
  });
});

describe('the message for an unavailable database', () => {
  it.each([
    ['refused', coded('ECONNREFUSED'), 'The database cannot be reached; nothing was accepted. Try again.'],
    ['time-out of the server', coded('57014'), 'The database took too long; nothing was accepted. Try again.'],
    ['deadlock', coded('40P01'), /^Other requests changed the same data at the same time; nothing was accepted/],
    ['time-out of a query', new Error('Query read timeout'), /^The database did not confirm the request/],
  ])('%s', (_name, cause, message) => {
    expect(unavailableOf(cause).message).toMatch(message);
  });
});
