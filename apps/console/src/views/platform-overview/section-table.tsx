import { Paper, Table, Text, Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';

interface SectionTableProps {
  title: string;
  about?: string;
  head: readonly string[];
  rows: readonly { id: string; cells: readonly ReactNode[] }[];
  /** Shown without rows. */
  none: string;
}

/** A short table of one thing, with its title. */
export function SectionTable({ title, about, head, rows, none }: SectionTableProps) {
  const id = useId();
  return (
    <Paper withBorder p="md" component="section" aria-labelledby={id}>
      <Title order={2} size="h6" id={id}>
        {title}
      </Title>
      {about && (
        <Text size="xs" c="dimmed">
          {about}
        </Text>
      )}
      {rows.length === 0 ? (
        <Text size="sm" mt="xs">
          {none}
        </Text>
      ) : (
        <Table className="list" mt="xs" aria-labelledby={id}>
          <Table.Thead>
            <Table.Tr>
              {head.map((label) => (
                <Table.Th key={label} scope="col">
                  {label}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.id}>
                {row.cells.map((cell, index) => (
                  <Table.Td key={head[index]} data-label={head[index]}>
                    {cell}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Paper>
  );
}
