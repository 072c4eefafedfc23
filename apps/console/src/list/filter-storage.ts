import type { Session } from '../session/session';

const PREFIX = 'carillon-filters:';
const HOLDER = 'carillon-filters-of';

/** Where this browser keeps the saved filters of a list. They may have names and addresses of recipients. */
export function storageKey(tenantId: string | null, list: string): string {
  return `${PREFIX}${tenantId ?? 'platform'}:${list}`;
}

/** Call with each session, before its pages are shown: the saved filters of someone else are removed. */
export function keepFiltersOf({ kind, name, tenant }: Session): void {
  const holder = JSON.stringify([kind, name, tenant?.id]);
  if (localStorage.getItem(HOLDER) === holder) return;
  removeFilters();
  localStorage.setItem(HOLDER, holder);
}

export function removeFilters(): void {
  for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  localStorage.removeItem(HOLDER);
}
