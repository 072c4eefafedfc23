import { Alert, Button, Text } from '@mantine/core';
import { IconPlugConnected } from '@tabler/icons-react';
import type { Verification } from '#client';
import { useAction } from '../../api/view-context';
import { accountRoutes } from './account-routes';

/** docs/adding-a-provider.md explains the kinds. */
const KINDS: Record<string, string> = {
  misconfigured: 'The provider refuses the credentials, or the account lacks a permission. Correct them below.',
  throttled: 'The provider limits the requests of this account at the moment. Try again in a minute.',
  transient: 'The provider could not be reached or did not answer. Try again; if it stays, check the address.',
  rejected: 'The provider refuses the request.',
  bad_address: 'The provider refuses the sender.',
  unknown: 'The connection ended before the provider answered.',
};

export function useVerify(id: string, isPlatform: boolean) {
  return useAction<void, Verification>({
    run: (carillon) => accountRoutes(carillon, isPlatform).verify(id),
  });
}

export function VerifyButton({ verify }: { verify: ReturnType<typeof useVerify> }) {
  return (
    <Button
      variant="default"
      leftSection={<IconPlugConnected size={16} aria-hidden />}
      loading={verify.isPending}
      onClick={() => verify.mutate()}
    >
      Verify
    </Button>
  );
}

/** The provider's answer in words. Nothing is sent to anybody. */
export function VerifyAnswer({ verify }: { verify: ReturnType<typeof useVerify> }) {
  const answer = verify.data;
  if (!answer) return null;
  if (answer.ok)
    return (
      <Alert color="green" role="status" title="The provider accepts the credentials">
        No message was sent.
      </Alert>
    );
  const { kind, code, detail } = answer;
  return (
    <Alert color="red" role="alert" title="The provider does not accept the account">
      <Text size="sm">{KINDS[kind ?? ''] ?? 'The check failed.'}</Text>
      {(code || detail) && (
        <Text size="sm" mt={4}>
          The provider says: {[code, detail].filter(Boolean).join(': ')}
        </Text>
      )}
    </Alert>
  );
}
