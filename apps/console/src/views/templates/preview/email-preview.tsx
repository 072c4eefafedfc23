import { Box, Group, SegmentedControl, Stack, Text, useComputedColorScheme } from '@mantine/core';
import { useState } from 'react';
import { Fields } from '../../../page/fields';
import { SourcePreview } from './message-previews';

const PARTS = [
  { value: 'html', label: 'HTML' },
  { value: 'text', label: 'Text' },
];
const WIDTHS = [
  { value: 'desktop', label: 'Desktop' },
  { value: 'phone', label: 'Phone' },
];
const SCHEMES = [
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];
const PHONE_WIDTH = 375;
const HEIGHT = 460;

export function EmailPreview({ message }: { message: Record<string, unknown> }) {
  const { subject, html, text, from, reply_to } = message as Record<string, string | undefined>;
  const [part, setPart] = useState('html');
  const [width, setWidth] = useState('desktop');
  const own = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const [scheme, setScheme] = useState<string>(own);
  const isHtml = part === 'html' && html !== undefined;
  return (
    <Stack gap="sm">
      <Fields
        fields={[
          ['Subject', subject ?? ''],
          ['From', from],
          ['Reply to', reply_to],
        ]}
      />
      <Group gap="xs">
        {html !== undefined && (
          <SegmentedControl size="xs" aria-label="Part" data={PARTS} value={part} onChange={setPart} />
        )}
        {isHtml && (
          <>
            <SegmentedControl size="xs" aria-label="Width" data={WIDTHS} value={width} onChange={setWidth} />
            <SegmentedControl size="xs" aria-label="Colours" data={SCHEMES} value={scheme} onChange={setScheme} />
          </>
        )}
      </Group>
      {isHtml ? (
        <>
          <Box
            component="iframe"
            title="The e-mail"
            // No scripts, no forms, no access to the console.
            sandbox=""
            srcDoc={documentOf(html, scheme)}
            w={width === 'phone' ? PHONE_WIDTH : '100%'}
            maw="100%"
            h={HEIGHT}
            style={{ border: '1px solid var(--mantine-color-default-border)', borderRadius: 8, resize: 'vertical' }}
          />
          <Text size="xs" c="dimmed">
            Images from elsewhere are not loaded here.
          </Text>
        </>
      ) : (
        <SourcePreview text={text ?? ''} label="Text part" />
      )}
    </Stack>
  );
}

/** The scheme of a mail program: the colours of a mail that sets none. */
function documentOf(html: string, scheme: string): string {
  const colours = scheme === 'dark' ? 'background:#1a1a1a;color:#e8e8e8' : 'background:#fff;color:#111';
  const style = `<style>:root{color-scheme:${scheme};${colours}}</style>`;
  return `<!doctype html><meta name="color-scheme" content="${scheme}">${style}${html}`;
}
