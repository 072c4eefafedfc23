import { describe, expect, it } from 'vitest';
import { columnList } from './column-list.js';

const list = columnList<{ id: string; note: string | null }>({
  id: ['uuid', (row) => row.id],
  note: ['text', (row) => row.note],
});

describe('a column list', () => {
  it('makes the table of a statement and its parameters from one definition', () => {
    expect(list.length).toBe(2);
    expect(list.table('i')).toBe('unnest($1::uuid[], $2::text[]) as i(id, note)');
    expect(list.numberedTable('i', 5)).toBe('unnest($5::uuid[], $6::text[]) with ordinality as i(id, note, ord)');
    expect(
      list.values([
        { id: 'a', note: 'x' },
        { id: 'b', note: null },
      ]),
    ).toEqual([
      ['a', 'b'],
      ['x', null],
    ]);
  });

  it('sends an empty array for a column of nulls only', () => {
    expect(list.values([{ id: 'a', note: null }])).toEqual([['a'], []]);
  });
});
