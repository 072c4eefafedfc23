import {
  Alert,
  Button,
  Center,
  Code,
  Divider,
  Paper,
  PasswordInput,
  SegmentedControl,
  Stack,
  Text,
  Title,
} from '@mantine/core';
import { useState } from 'react';
import type { SessionActions, SignedOut } from './session';

type Credential = 'api_key' | 'operator_token';

const CREDENTIALS = [
  { value: 'api_key', label: 'API key' },
  { value: 'operator_token', label: 'Operator' },
];

const FIELDS = {
  api_key: { label: 'API key of your tenant', placeholder: 'car_live_…' },
  operator_token: { label: "Operator's token", placeholder: 'ADMIN_TOKEN of this installation' },
};

const HINTS = {
  api_key: (
    <>
      <Code>npm start</Code> prints the API key of the demo tenant. The scopes of the key determine what you can do.
    </>
  ),
  operator_token: (
    <>
      <Code>npm start</Code> prints where the token is stored. It gives you the role admin for all tenants.
    </>
  ),
};

interface SignInProps {
  options: SignedOut;
  signIn: SessionActions['signIn'];
  /** A session has ended by itself, and its pages are kept. */
  hasEnded?: boolean;
}

/** The key is sent once and kept nowhere in the browser: a cookie that no script can read takes its place. */
export function SignIn({ options, signIn, hasEnded = false }: SignInProps) {
  const [kind, setKind] = useState<Credential>('api_key');
  const [secret, setSecret] = useState('');
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(): Promise<void> {
    setBusy(true);
    setFault(null);
    const credentials = kind === 'api_key' ? { api_key: secret.trim() } : { operator_token: secret.trim() };
    await signIn(credentials).catch((error: Error) => setFault(error.message));
    setBusy(false);
  }

  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder shadow="sm" p="xl" w="100%" maw={420}>
        <Stack>
          <Title order={1} size="h3">
            Sign in to Carillon
          </Title>
          {hasEnded && (
            <Text size="sm" role="status">
              Your session has ended. Sign in with the same key or token to continue with your unsaved changes.
            </Text>
          )}
          {options.oidc && (
            <>
              <Button component="a" href={`/console/oidc/start?return_to=${encodeURIComponent(returnPath())}`}>
                Continue with {options.oidc.name}
              </Button>
              <Divider label="or" />
            </>
          )}
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void submit();
            }}
          >
            <Stack>
              {options.operator && (
                <SegmentedControl
                  aria-label="Sign in as"
                  data={CREDENTIALS}
                  value={kind}
                  onChange={(value) => setKind(value as Credential)}
                />
              )}
              <PasswordInput
                {...FIELDS[kind]}
                value={secret}
                onChange={(event) => setSecret(event.currentTarget.value)}
                autoComplete="off"
                required
                autoFocus
              />
              {fault && (
                <Alert color="red" role="alert" title="Not signed in">
                  {fault}
                </Alert>
              )}
              <Button type="submit" loading={busy} variant={options.oidc ? 'default' : 'filled'}>
                Sign in
              </Button>
            </Stack>
          </form>
          <Text size="sm" c="dimmed">
            {HINTS[kind]}
          </Text>
        </Stack>
      </Paper>
    </Center>
  );
}

function returnPath(): string {
  return `${location.pathname}${location.search}`;
}
