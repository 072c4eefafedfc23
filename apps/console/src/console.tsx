import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { BrowserRouter } from 'react-router';
import { retryRead } from './api/failures';
import { Frame } from './frame/frame';
import { SessionGate } from './session/session-gate';
import { theme } from './theme';

const queryClient = new QueryClient({
  defaultOptions: { queries: { staleTime: 5_000, retry: retryRead, refetchOnWindowFocus: true } },
});

/** The whole application. `SessionGate` shows the sign-in until somebody is signed in. */
export function Console() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queryClient}>
        <BrowserRouter basename="/console">
          <SessionGate>
            <Frame />
          </SessionGate>
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  );
}
