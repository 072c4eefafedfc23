import { Table } from '@mantine/core';
import { inUnit, type Series, shortTime, type Unit } from './series';

interface SeriesTableProps {
  title: string;
  times: readonly string[];
  series: readonly Series[];
  unit: Unit;
}

/** The values of a chart, newest first. Intervals in which every line is empty are left out. */
export function SeriesTable({ title, times, series, unit }: SeriesTableProps) {
  const rows = times
    .map((at, index) => ({ at, values: series.map(({ values }) => values[index] ?? null) }))
    .filter(({ values }) => values.some((value) => value !== null && value !== 0))
    .reverse();
  return (
    <Table.ScrollContainer minWidth={280} mah={240} tabIndex={0} role="region" aria-label={`${title}, as a table`}>
      <Table fz="xs" stickyHeader aria-label={title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">From</Table.Th>
            {series.map(({ label }) => (
              <Table.Th key={label} scope="col" ta="right">
                {label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ at, values }) => (
            <Table.Tr key={at}>
              <Table.Th scope="row" fw={400}>
                {shortTime(at)}
              </Table.Th>
              {values.map((value, index) => (
                <Table.Td key={series[index]!.label} ta="right">
                  {value === null ? '–' : inUnit(value, unit)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
