import { Table } from '@mantine/core';
import type { ReactNode } from 'react';

/** Names and values of one thing. Fields without a value are left out. */
export function Fields({ fields }: { fields: [name: string, value: ReactNode][] }) {
  const shown = fields.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return (
    <Table variant="vertical" layout="auto" withTableBorder>
      <Table.Tbody>
        {shown.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th w={180} scope="row">
              {name}
            </Table.Th>
            <Table.Td style={{ overflowWrap: 'anywhere' }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
