import { Anchor, Paper, SimpleGrid, Text } from '@mantine/core';
import { Link } from 'react-router';
import { useViewContext } from '../api/view-context';

export interface Figure {
  label: string;
  value: string;
  /** The path of the view that lists the things behind the figure. */
  to?: string;
  isBad?: boolean;
}

/** A row of numbers, each with its name. */
export function Figures({ figures, name }: { figures: readonly Figure[]; name: string }) {
  const { linkTo, hasView } = useViewContext();
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: Math.min(figures.length, 6) }} spacing="sm" role="list" aria-label={name}>
      {figures.map(({ label, value, to, isBad = false }) => (
        <Paper key={label} withBorder p="sm" role="listitem">
          <Text size="xs" c="dimmed">
            {label}
          </Text>
          <Text size="xl" fw={600} c={isBad ? 'var(--mantine-color-error)' : undefined}>
            {to !== undefined && hasView(to) ? (
              <Anchor component={Link} to={linkTo(to)} inherit aria-label={`${label}: ${value}`}>
                {value}
              </Anchor>
            ) : (
              value
            )}
          </Text>
        </Paper>
      ))}
    </SimpleGrid>
  );
}
