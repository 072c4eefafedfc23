import { Anchor, Button, Modal, Stack, Text } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import { useState } from 'react';
import type { RecipientPreferencesLinkResponse } from '#client';
import { useAction } from '../../../api/view-context';
import { Identifier } from '../../../page/identifier';
import { wholeTime } from '../../../page/time';
import { useScope } from '../../../session/session';

/** A day: it is for looking at the page, not for a message. */
const TTL_SECONDS = 86_400;

export function PreferenceLink({ id }: { id: string }) {
  const mayWrite = useScope('recipients:write');
  const [link, setLink] = useState<RecipientPreferencesLinkResponse | null>(null);
  const make = useAction<void, RecipientPreferencesLinkResponse>({
    run: (carillon) => carillon.recipientPreferences.link({ path: { id }, body: { ttl_seconds: TTL_SECONDS } }),
    onDone: setLink,
  });
  if (!mayWrite) return null;
  const url = link && (link.url ?? `${location.origin}${link.path}`);
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconExternalLink size={16} aria-hidden />}
        loading={make.isPending}
        onClick={() => make.mutate()}
      >
        Link to their page
      </Button>
      <Modal opened={link !== null} onClose={() => setLink(null)} title="Preference page">
        {link && url && (
          <Stack>
            <Text size="sm">
              Everybody who has this link can see and change these preferences, and nothing else, until{' '}
              {wholeTime(link.expires_at)}.
            </Text>
            <Identifier value={url} what="link" />
            <Anchor href={link.path} target="_blank" rel="noreferrer">
              Open the page
            </Anchor>
          </Stack>
        )}
      </Modal>
    </>
  );
}
