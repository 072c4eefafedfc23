import { Anchor, Breadcrumbs, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { type ReactNode, useEffect } from 'react';
import { Link } from 'react-router';
import { LoadError } from './load-error';

interface PageProps {
  title: string;
  /** The purpose of the page, in one sentence. */
  about?: ReactNode;
  /** Buttons beside the title. */
  actions?: ReactNode;
  /** The page above this one. */
  parent?: { title: string; to: string };
  children: ReactNode;
}

export function Page({ title, about, actions, parent, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Carillon`;
  }, [title]);
  return (
    <Stack gap="md">
      {parent && (
        <Breadcrumbs>
          <Anchor component={Link} to={parent.to} size="sm" truncate maw="40vw" display="block">
            {parent.title}
          </Anchor>
          <Text size="sm" c="dimmed" truncate maw="50vw">
            {title}
          </Text>
        </Breadcrumbs>
      )}
      <Group justify="space-between" align="flex-start">
        <div>
          <Title order={1} size="h3" style={{ overflowWrap: 'anywhere' }}>
            {title}
          </Title>
          {about && (
            <Text size="sm" c="dimmed" maw={720}>
              {about}
            </Text>
          )}
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}

/** The content of a page once it is read, or the reason why it is not there. */
export function Loaded<Data>({
  query,
  children,
}: {
  query: UseQueryResult<Data>;
  children: (data: Data) => ReactNode;
}) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <LoadError error={query.error} retry={() => void query.refetch()} />;
  return (
    <Stack aria-busy="true" role="status" aria-label="Loading">
      <Skeleton h={24} w="40%" />
      <Skeleton h={120} />
      <Skeleton h={24} w="70%" />
    </Stack>
  );
}
