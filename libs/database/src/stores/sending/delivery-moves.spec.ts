import { describe, expect, it } from 'vitest';
import { deliveryStates, isStored, type Mover, mayMove } from '#domain';
import {
  CANCEL_MOVES,
  CONFIRM_MOVES,
  ERASE_MOVES,
  guard,
  RECEIPT_MOVES,
  RECORD_MOVES,
  REPLAY_MOVES,
  RESOLVE_MOVES,
  updateCounters,
} from './delivery-moves.js';

const statements = [
  ...RECORD_MOVES.map((move) => ({ ...move, mover: 'pipeline' })),
  ...[...RECEIPT_MOVES, ...CONFIRM_MOVES].map((move) => ({ ...move, mover: 'receipt' })),
  ...[...RESOLVE_MOVES, ...REPLAY_MOVES].map((move) => ({ ...move, mover: 'operator' })),
  // An erasure cancels too.
  ...ERASE_MOVES.map((move) => ({ ...move, mover: 'tenant' })),
].map(({ mover, from, to }) => `${from} -> ${to} by ${mover}`);

describe('the moves of the statements', () => {
  it('are those of the table, each in one statement', () => {
    const movers: Mover[] = ['pipeline', 'tenant', 'receipt', 'operator'];
    const stored = deliveryStates.filter(isStored);
    const table = stored.flatMap((from) =>
      stored.flatMap((to) =>
        movers.filter((mover) => mayMove(from, to, mover)).map((mover) => `${from} -> ${to} by ${mover}`),
      ),
    );
    // A receipt moves an unknown delivery to `delivered` or `bounced` at once.
    expect(statements.toSorted()).toEqual(table.filter((move) => move !== 'unknown -> sent by receipt').sort());
  });

  it('of an erasure include those of a cancellation', () => {
    expect(ERASE_MOVES).toEqual(expect.arrayContaining([...CANCEL_MOVES]));
  });

  it('are guarded by the state before', () => {
    expect(guard(RESOLVE_MOVES, 'before', 'after')).toBe("((after in ('sent', 'failed') and before in ('unknown')))");
    expect(guard(RECEIPT_MOVES, 'd.state', 'kind')).toBe(
      "((kind in ('delivered') and d.state in ('sent', 'unknown')) or " +
        "(kind in ('bounced') and d.state in ('sent', 'delivered', 'unknown')))",
    );
  });

  it('change only the counters that they can change', () => {
    const counters = (sql: string): string => /set (.*)/.exec(sql)![1]!;
    expect(counters(updateCounters(CANCEL_MOVES))).toBe('cancelled = n.cancelled + c.cancelled');
    expect(counters(updateCounters(REPLAY_MOVES))).toBe('failed = n.failed + c.failed');
    expect(counters(updateCounters(RECEIPT_MOVES))).toBe(
      'succeeded = n.succeeded + c.succeeded, failed = n.failed + c.failed',
    );
  });
});
