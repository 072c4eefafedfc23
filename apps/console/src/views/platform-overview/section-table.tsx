import { Paper, Text, Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';
import { DataTable } from '../../page/data-table';

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
        <DataTable label={title} head={head} rows={rows} mt="xs" />
      )}
    </Paper>
  );
}
