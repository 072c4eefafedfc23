import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, RouterProvider } from 'react-router';
import { retryRead } from './api/failures';
import { Frame } from './frame/frame';
import { SessionGate } from './session/session-gate';
import { theme } from './theme';

const queryClient = new QueryClient({
  defaultOptions: { queries: { staleTime: 5_000, retry: retryRead, refetchOnWindowFocus: true } },
});

/** One route for everything; the frame and the views have the others. `useUnsavedChanges` needs such a router. */
const router = createBrowserRouter(
  [
    {
      path: '*',
      element: (
        <SessionGate>
          <Frame />
        </SessionGate>
      ),
    },
  ],
  { basename: '/console' },
);

/** The whole application. `SessionGate` shows the sign-in until somebody is signed in. */
export function Console() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
