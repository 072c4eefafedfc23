import { Anchor } from '@mantine/core';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useViewContext } from '../api/view-context';

/** A link to a page of the console, or its text for a session that may not open the page. */
export function ViewLink({ to, children }: { to: string; children: ReactNode }) {
  const { linkTo, hasView } = useViewContext();
  if (!hasView(to)) return children;
  return (
    <Anchor component={Link} to={linkTo(to)} size="sm">
      {children}
    </Anchor>
  );
}
