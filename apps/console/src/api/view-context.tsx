import { keepPreviousData, type UseQueryResult, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext, useMemo } from 'react';
import type { Carillon } from '#client';
import { notifyDone, notifyFailure } from '../page/toasts';
import { useRole, useScope } from '../session/session';
import { connect, requestWithoutLimit } from './connection';
import { refreshAfter } from './failures';

/** Whose data the views below show. */
export interface ViewContext {
  /** Null on the operator's own pages. */
  tenantId: string | null;
  /** On the operator's own pages: templates and accounts there are those of the platform. */
  isPlatform: boolean;
  carillon: Carillon;
  /** For downloads, and for calls that may take minutes: has no time limit. Throws `CarillonError`. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** The path of a view, such as `/deliveries`, as a link inside the console. */
  linkTo(path: string): string;
  /** Whether the session may open the page with this path, such as `/deliveries/…?tab=json`. */
  hasView(path: string): boolean;
}

const Context = createContext<ViewContext | null>(null);

interface ViewContextProps {
  tenantId: string | null;
  /** The session names the tenant itself, so no header may. */
  isOwnTenant?: boolean;
  /** The views of the session, by their paths. */
  views: readonly { path: string }[];
  children: ReactNode;
}

export function ViewContextProvider({ tenantId, isOwnTenant = false, views, children }: ViewContextProps) {
  const context = useMemo(() => {
    const base = tenantId === null ? '/platform' : `/t/${tenantId}`;
    const named = isOwnTenant ? null : tenantId;
    return {
      tenantId,
      isPlatform: tenantId === null,
      carillon: connect(named),
      request: (path: string, init: RequestInit = {}) => requestWithoutLimit(new Request(path, init), named),
      linkTo: (path: string) => base + path,
      hasView: (path: string) => views.some((view) => view.path === /^\/[^/?]*/.exec(path)?.[0]),
    };
  }, [tenantId, isOwnTenant, views]);
  return <Context value={context}>{children}</Context>;
}

export function useViewContext(): ViewContext {
  const context = useContext(Context);
  if (!context) throw new Error('useViewContext is used outside ViewContextProvider');
  return context;
}

/** Whether the session may change the data of the page: a tenant's with the scope, the platform's as an admin. */
export function useMayWrite(scope: string): boolean {
  const { isPlatform } = useViewContext();
  const hasScope = useScope(scope);
  const isAdmin = useRole('admin');
  return isPlatform ? isAdmin : hasScope;
}

interface ReadOptions {
  /** Reads again after this time, while the page is visible. */
  refreshMs?: number | false;
  enabled?: boolean;
  /** Shows the answer of the last key until the new one is there. */
  keepPrevious?: boolean;
}

/**
 * Reads for the page. `key` begins with the name of a list, which actions name in `changes`: `['topics', 'one', key]`.
 * The tenant is part of the key, so the data of one tenant is never shown for another.
 */
export function useRead<Answer>(
  key: readonly unknown[],
  read: (carillon: Carillon, signal: AbortSignal) => Promise<Answer>,
  { refreshMs = false, enabled = true, keepPrevious = false }: ReadOptions = {},
): UseQueryResult<Answer> {
  const { tenantId, carillon } = useViewContext();
  return useQuery<Answer>({
    queryKey: [tenantId, ...key],
    queryFn: ({ signal }) => read(carillon, signal),
    refetchInterval: refreshAfter(refreshMs),
    enabled,
    ...(keepPrevious && { placeholderData: keepPreviousData }),
  });
}

interface ActionOptions<Input, Answer> {
  run: (carillon: Carillon, input: Input) => Promise<Answer>;
  /** Shown when it is done, such as "The schedule is paused". */
  done?: string | ((answer: Answer) => string);
  /** The first elements of the keys that are read again. */
  changes?: readonly string[];
  /** The key of what is deleted: a page that still shows it does not read it again. */
  removes?: readonly string[];
  onDone?: (answer: Answer, input: Input) => void;
  /** Set to show failures in the form itself. By default a message shows them. */
  quiet?: boolean;
}

/** Something that a person does: `action.mutate(input)`, `action.isPending`, `action.error`. */
export function useAction<Input = void, Answer = unknown>(options: ActionOptions<Input, Answer>) {
  const { tenantId, carillon } = useViewContext();
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: (input: Input) => options.run(carillon, input),
    onSuccess: async (answer, input) => {
      const { done, changes = [], removes, onDone } = options;
      if (done !== undefined) notifyDone(typeof done === 'string' ? done : done(answer));
      onDone?.(answer, input);
      const isThere = ({ queryKey }: { queryKey: readonly unknown[] }): boolean =>
        removes === undefined || removes.some((part, index) => part !== queryKey[index + 1]);
      await Promise.all(
        changes.map((name) => queryClient.invalidateQueries({ queryKey: [tenantId, name], predicate: isThere })),
      );
    },
    onError: (error) => {
      if (!options.quiet) notifyFailure(error);
    },
  });
}
