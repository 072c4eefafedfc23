import { Anchor, Group, LoadingOverlay, Paper, Table, VisuallyHidden } from '@mantine/core';
import { tableFeatures, useTable } from '@tanstack/react-table';
import { type ReactNode, useMemo } from 'react';
import { Link } from 'react-router';
import { inWords } from '../page/state-badge';

const features = tableFeatures({});

export interface Column<Row> {
  id: string;
  label: string;
  cell: (row: Row) => ReactNode;
}

export interface RowsProps<Row> {
  /** Names the list in keys and saved filters, such as `deliveries`. */
  name: string;
  columns: readonly Column<Row>[];
  rowId: (row: Row) => string;
  /** Where the first cell of a row leads. */
  linkTo?: (row: Row) => string;
  /** Buttons at the end of a row. */
  rowActions?: (row: Row) => ReactNode;
}

/** One page of a list as a table. On a phone each row is a block, by the class `list`. */
export function Rows<Row>({
  rows,
  columns,
  rowId,
  linkTo,
  rowActions,
  name,
  isOld,
}: RowsProps<Row> & { rows: Row[]; isOld: boolean }) {
  const table = useTable({
    features,
    data: rows as (Row & object)[],
    columns: useMemo(() => columns.map(({ id, label }) => ({ id, header: label })), [columns]),
    getRowId: (row) => rowId(row),
  });
  const byId = useMemo(() => new Map(columns.map((column) => [column.id, column])), [columns]);
  const first = columns[0]?.id;
  return (
    <Paper withBorder pos="relative" style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label={name}>
      <LoadingOverlay visible={isOld} />
      <Table className="list" highlightOnHover verticalSpacing="xs" aria-label={inWords(name)}>
        <Table.Thead>
          {table.getHeaderGroups().map((group) => (
            <Table.Tr key={group.id}>
              {group.headers.map((header) => (
                <Table.Th key={header.id} scope="col">
                  {byId.get(header.column.id)?.label}
                </Table.Th>
              ))}
              {rowActions && (
                <Table.Th scope="col">
                  <VisuallyHidden>Actions</VisuallyHidden>
                </Table.Th>
              )}
            </Table.Tr>
          ))}
        </Table.Thead>
        <Table.Tbody>
          {table.getRowModel().rows.map((row) => (
            <Table.Tr key={row.id}>
              {row.getAllCells().map(({ id, column }) => {
                const { label, cell } = byId.get(column.id)!;
                return (
                  <Table.Td key={id} data-label={label}>
                    {linkTo && column.id === first ? (
                      <Anchor component={Link} to={linkTo(row.original)} size="sm">
                        {cell(row.original)}
                      </Anchor>
                    ) : (
                      cell(row.original)
                    )}
                  </Table.Td>
                );
              })}
              {rowActions && (
                <Table.Td data-label="">
                  <Group gap="xs" justify="flex-end" wrap="nowrap">
                    {rowActions(row.original)}
                  </Group>
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
