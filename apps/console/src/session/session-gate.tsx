import { Center, Loader } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useEffect, useMemo } from 'react';
import { CarillonError } from '#client';
import { LoadError } from '../page/load-error';
import { type Session, type SessionActions, SessionContext } from './session';
import { readSession, signIn, signOut } from './session-requests';
import { SignIn } from './sign-in';

const KEY = ['session'];

/** Shows the sign-in, or its children to those who are signed in. Any answer 401 leads back to the sign-in. */
export function SessionGate({ children }: { children: ReactNode }) {
  const queryClient = useQueryClient();
  const { data, error, refetch } = useQuery({ queryKey: KEY, queryFn: readSession, staleTime: 60_000 });
  const actions = useMemo<SessionActions>(() => {
    // The session itself stays in the cache: this component would not see the change of a query that was removed.
    const forget = () => queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== KEY[0] });
    return {
      signIn: async (credentials) => {
        const session = await signIn(credentials);
        forget();
        queryClient.setQueryData(KEY, session);
      },
      signOut: async () => {
        await signOut();
        await queryClient.invalidateQueries({ queryKey: KEY });
        forget();
      },
    };
  }, [queryClient]);

  useEffect(
    () =>
      queryClient.getQueryCache().subscribe(({ type, query }) => {
        const isSignedOut = query.state.error instanceof CarillonError && query.state.error.status === 401;
        if (type === 'updated' && isSignedOut) void queryClient.invalidateQueries({ queryKey: KEY });
      }),
    [queryClient],
  );

  const value = useMemo(() => (data?.signed_in ? { ...(data as Session), ...actions } : null), [data, actions]);
  if (value) return <SessionContext value={value}>{children}</SessionContext>;
  if (data && !data.signed_in) return <SignIn options={data} signIn={actions.signIn} />;
  return (
    <Center mih="60vh" p="md">
      {error ? <LoadError error={error} retry={() => void refetch()} /> : <Loader aria-label="Loading" />}
    </Center>
  );
}
