import { Box, Group, Loader, Paper, Stack, Text, Title } from '@mantine/core';
import { Boundary } from '../../../page/boundary';
import { LoadError } from '../../../page/load-error';
import type { TemplatePlace } from '../template-draft';
import type { PreviewState } from '../use-preview';
import { EmailPreview } from './email-preview';
import { CardPreview, ChatPreview, SmsPreview, SourcePreview } from './message-previews';

/** The message of the draft. While the draft has faults, the last message that could be rendered. */
export function PreviewPanel({ place: { channel }, state }: { place: TemplatePlace; state: PreviewState }) {
  const { preview, isOld, faults, error } = state;
  const hasFaults = Object.keys(faults).length > 0;
  return (
    <Paper withBorder p="md" component="section" aria-label="Preview" aria-busy={isOld && !hasFaults && !error}>
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h5">
            Preview
          </Title>
          {hasFaults && preview && (
            <Text size="xs" c="dimmed">
              As it was before the fault
            </Text>
          )}
        </Group>
        {error !== null && error !== undefined && <LoadError error={error} />}
        {preview ? (
          <Boundary of={JSON.stringify(preview.message)} title="This message cannot be shown">
            <Box opacity={hasFaults ? 0.5 : 1}>
              {channel === 'email' && <EmailPreview message={preview.message} />}
              {channel === 'sms' && <SmsPreview preview={preview} />}
              {(channel === 'push' || channel === 'in_app') && <CardPreview message={preview.message} />}
              {channel === 'chat' && <ChatPreview message={preview.message} />}
              {channel === 'webhook' && <SourcePreview text={String(preview.message['body'] ?? '')} label="Body" />}
            </Box>
          </Boundary>
        ) : hasFaults || error ? (
          <Text size="sm" c="dimmed">
            There is nothing to show yet.
          </Text>
        ) : (
          <Loader size="sm" aria-label="Rendering" />
        )}
      </Stack>
    </Paper>
  );
}
