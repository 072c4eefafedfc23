import { NavLink, ScrollArea, Text } from '@mantine/core';
import { Link, useLocation } from 'react-router';
import { useViewContext } from '../api/view-context';
import type { View } from './navigation';

export function NavigationLinks({ views, onClick }: { views: readonly View[]; onClick: () => void }) {
  const { linkTo } = useViewContext();
  const { pathname } = useLocation();
  const groups = Map.groupBy(views, ({ group }) => group);
  return (
    <ScrollArea component="nav" aria-label="Views">
      {[...groups].map(([group, inside]) => (
        <div key={group}>
          <Text size="xs" c="dimmed" fw={600} mt="sm" px="xs">
            {group}
          </Text>
          {inside.map(({ path, label }) => {
            const to = linkTo(path);
            const isCurrent = pathname === to || pathname.startsWith(`${to}/`);
            return (
              <NavLink
                key={path}
                component={Link}
                to={to}
                onClick={onClick}
                label={label}
                active={isCurrent}
                aria-current={isCurrent ? 'page' : undefined}
              />
            );
          })}
        </div>
      ))}
    </ScrollArea>
  );
}
