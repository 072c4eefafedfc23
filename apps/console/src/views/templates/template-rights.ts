import { useScopeOfPage } from '../../api/scope';
import { useRole, useScope } from '../../session/session';

/** A tenant's templates need the scope, those of the platform the role of an admin. */
export function useMayWriteTemplates(): boolean {
  const { tenantId } = useScopeOfPage();
  const hasScope = useScope('templates:write');
  const isAdmin = useRole('admin');
  return tenantId === null ? isAdmin : hasScope;
}
