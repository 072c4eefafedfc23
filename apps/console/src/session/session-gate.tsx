import { Box, Center, Loader, Portal } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useState } from 'react';
import { CarillonError } from '#client';
import { LoadError } from '../page/load-error';
import { useOtherTabs } from './other-tabs';
import { type Session, type SessionActions, SessionContext, type SignedOut } from './session';
import { readSession, signIn, signOut } from './session-requests';
import { SignIn } from './sign-in';

const KEY = ['session'];
const isOfPages = ({ queryKey }: { queryKey: readonly unknown[] }): boolean => queryKey[0] !== KEY[0];

/**
 * Shows the sign-in, or its children to those who are signed in. Any answer 401 leads back to the sign-in. If a session
 * ends by itself, the pages stay behind the sign-in, so that unsaved changes are kept for the same person.
 */
export function SessionGate({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const { data, error, refetch } = useQuery({ queryKey: KEY, queryFn: readSession, staleTime: 60_000 });
  const session = data?.signed_in ? (data as Session) : null;
  const [last, setLast] = useState<Session | null>(null);
  if (session && session !== last) setLast(session);
  const tellSignedOut = useOtherTabs(session && identityOf(session), {
    onOther: () => void queryClient.invalidateQueries({ queryKey: KEY }),
    onSignedOut: () => void queryClient.invalidateQueries({ queryKey: KEY }).then(() => setLast(null)),
  });
  const actions = useActions(last, { forget: () => setLast(null), tellSignedOut });
  useEffect(() => {
    const look = (error: unknown): void => {
      if (error instanceof CarillonError && error.status === 401) void queryClient.invalidateQueries({ queryKey: KEY });
    };
    const leaveReads = queryClient
      .getQueryCache()
      .subscribe(({ type, query }) => type === 'updated' && look(query.state.error));
    const leaveActions = queryClient
      .getMutationCache()
      .subscribe((event) => event.type === 'updated' && event.action.type === 'error' && look(event.action.error));
    return () => {
      leaveReads();
      leaveActions();
    };
  }, [queryClient]);
  const value = last && { ...last, ...actions };
  const ended = data && !data.signed_in ? (data as SignedOut) : null;
  if (value)
    return (
      <SessionContext value={value}>
        <div key={identityOf(value)} inert={ended !== null} hidden={ended !== null}>
          {children}
        </div>
        {ended && (
          <Portal>
            <Box className="above-all">
              <SignIn options={ended} signIn={actions.signIn} hasEnded />
            </Box>
          </Portal>
        )}
      </SessionContext>
    );
  if (ended) return <SignIn options={ended} signIn={actions.signIn} />;
  return (
    <Center mih="60vh" p="md">
      {error ? <LoadError error={error} retry={() => void refetch()} /> : <Loader aria-label="Loading" />}
    </Center>
  );
}

interface Effects {
  /** Of the session that has ended, with its pages. */
  forget: () => void;
  tellSignedOut: () => void;
}

function useActions(last: Session | null, { forget, tellSignedOut }: Effects): SessionActions {
  const queryClient = useQueryClient();
  return {
    signIn: async (credentials) => {
      const next = await signIn(credentials);
      const isSame = last !== null && identityOf(last) === identityOf(next);
      // The session itself stays in the cache: the gate would not see the change of a query that was removed.
      if (!isSame) queryClient.removeQueries({ predicate: isOfPages });
      queryClient.setQueryData(KEY, next);
      if (isSame) void queryClient.invalidateQueries({ predicate: isOfPages });
    },
    signOut: async () => {
      await signOut();
      tellSignedOut();
      await queryClient.invalidateQueries({ queryKey: KEY });
      forget();
      queryClient.removeQueries({ predicate: isOfPages });
    },
  };
}

/** Sessions with the same one see the same pages. */
function identityOf({ kind, name, role, tenant }: Session): string {
  return [kind, name, role, tenant?.id].join(' ');
}
