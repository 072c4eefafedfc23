import { Button, Group, Text } from '@mantine/core';
import { Link, useLocation, useSearchParams } from 'react-router';

interface PagerProps {
  isFirst: boolean;
  /** Null on the last page; undefined until the page is read: a double click must not skip one. */
  next: string | null | undefined;
  rows: number;
}

/** Earlier pages are in the history of the browser; the state of each page says how many there are. */
export function Pager({ isFirst, next, rows }: PagerProps) {
  const [parameters] = useSearchParams();
  const { state } = useLocation() as { state: { page?: number } | null };
  const page = state?.page ?? 1;
  const linkWith = (cursor: string | null): string => {
    const changed = new URLSearchParams(parameters);
    if (cursor === null) changed.delete('cursor');
    else changed.set('cursor', cursor);
    return `?${changed}`;
  };
  if (isFirst && next === null)
    return (
      <Text size="xs" c="dimmed">
        {rows === 1 ? '1 row' : `${rows} rows`}
      </Text>
    );
  return (
    <Group justify="space-between" component="nav" aria-label="Pages">
      <Text size="xs" c="dimmed">
        {isFirst ? 'Page 1' : page > 1 ? `Page ${page}` : 'A later page'}
      </Text>
      <Group gap="xs">
        {!isFirst && (
          <Button component={Link} to={linkWith(null)} variant="default" size="xs">
            First page
          </Button>
        )}
        {!isFirst && page > 1 && (
          <Button variant="default" size="xs" onClick={() => history.back()}>
            Previous
          </Button>
        )}
        {next !== null && (
          <Button
            component={Link}
            to={linkWith(next ?? parameters.get('cursor'))}
            state={{ page: page + 1 }}
            aria-disabled={next === undefined}
            onClick={(event) => next === undefined && event.preventDefault()}
            variant="default"
            size="xs"
          >
            Next
          </Button>
        )}
      </Group>
    </Group>
  );
}
