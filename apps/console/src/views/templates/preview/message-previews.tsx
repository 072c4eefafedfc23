import { Box, Code, Divider, Group, Paper, SegmentedControl, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import type { DraftPreview } from '#client';

/** Characters of one segment, and of each when there are several (3GPP TS 23.040). */
const SEGMENT = { gsm7: [160, 153], ucs2: [70, 67] } as const;
const ENCODING = { gsm7: 'GSM-7', ucs2: 'UCS-2' };

export function SmsPreview({ preview: { message, sms } }: { preview: DraftPreview }) {
  return (
    <Stack gap="xs">
      <Paper bg="var(--mantine-color-default-hover)" p="sm" radius="lg" maw={340}>
        <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {String(message['text'] ?? '')}
        </Text>
      </Paper>
      {sms && (
        <Text size="sm" role="status">
          <b>{sms.segments === 1 ? '1 segment' : `${sms.segments} segments`}</b>
          {`, ${ENCODING[sms.encoding]}, ${sms.units} of `}
          {sms.segments * SEGMENT[sms.encoding][sms.segments === 1 ? 0 : 1]} characters
          {sms.encoding === 'ucs2' && '. A character outside the GSM alphabet makes each segment shorter'}
        </Text>
      )}
    </Stack>
  );
}

/** A push message on a lock screen, or an item of the inbox. */
export function CardPreview({ message }: { message: Record<string, unknown> }) {
  const { title, body, image_url, action_url, data } = message as Record<string, unknown>;
  return (
    <Stack gap="xs">
      <Paper withBorder shadow="sm" p="sm" radius="lg" maw={380}>
        <Text size="sm" fw={700}>
          {String(title ?? '')}
        </Text>
        <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {String(body ?? '')}
        </Text>
      </Paper>
      {[
        ['Image', image_url],
        ['Link', action_url],
      ].map(([label, value]) =>
        value ? (
          <Text key={String(label)} size="xs" style={{ overflowWrap: 'anywhere' }}>
            {String(label)}: {String(value)}
          </Text>
        ) : null,
      )}
      {data !== undefined && data !== null && <SourcePreview text={JSON.stringify(data)} label="Data" />}
    </Stack>
  );
}

interface Block {
  type?: string;
  text?: { text?: string } | string;
  fields?: { text?: string }[];
  elements?: { text?: { text?: string } | string }[];
  alt_text?: string;
}

export function ChatPreview({ message }: { message: Record<string, unknown> }) {
  const { text, blocks } = message as { text?: string; blocks?: Block[] };
  const [show, setShow] = useState('blocks');
  if (!Array.isArray(blocks)) return <ChatText text={String(text ?? '')} />;
  return (
    <Stack gap="xs">
      <SegmentedControl
        size="xs"
        aria-label="Show"
        data={[
          { value: 'blocks', label: 'Blocks' },
          { value: 'raw', label: 'JSON' },
        ]}
        value={show}
        onChange={setShow}
        maw={200}
      />
      {show === 'raw' ? (
        <SourcePreview text={JSON.stringify(blocks)} label="Blocks" />
      ) : (
        <Paper withBorder p="sm" maw={460}>
          <Stack gap="xs">
            {blocks.map((block, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: blocks have no identity of their own.
              <ChatBlock key={index} block={block} />
            ))}
          </Stack>
        </Paper>
      )}
      <Text size="xs" c="dimmed">
        Where blocks are not shown, such as in notifications: {String(text ?? '')}
      </Text>
    </Stack>
  );
}

function ChatText({ text }: { text: string }) {
  return (
    <Paper withBorder p="sm" maw={460}>
      <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {text}
      </Text>
    </Paper>
  );
}

/** The usual blocks of Slack; others by their type. */
function ChatBlock({ block }: { block: Block }) {
  switch (block.type) {
    case 'header':
      return <Text fw={700}>{textOf(block.text)}</Text>;
    case 'section':
      return (
        <Box>
          <Text size="sm" style={{ whiteSpace: 'pre-wrap' }}>
            {textOf(block.text)}
          </Text>
          {block.fields?.map((field) => (
            <Text key={field.text} size="sm">
              {field.text}
            </Text>
          ))}
        </Box>
      );
    case 'divider':
      return <Divider />;
    case 'actions':
    case 'context':
      return (
        <Group gap="xs">
          {block.elements?.map((element) => (
            <Paper key={textOf(element.text)} withBorder px="xs" py={2}>
              <Text size="xs">{textOf(element.text)}</Text>
            </Paper>
          ))}
        </Group>
      );
    default:
      return (
        <Text size="sm" c="dimmed">
          {[block.type, block.alt_text ?? textOf(block.text)].filter(Boolean).join(': ')}
        </Text>
      );
  }
}

function textOf(text: Block['text']): string {
  return typeof text === 'string' ? text : (text?.text ?? '');
}

/** JSON is indented. */
export function SourcePreview({ text, label }: { text: string; label: string }) {
  return (
    <Code
      block
      tabIndex={0}
      role="region"
      aria-label={label}
      style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', maxHeight: 420, overflow: 'auto' }}
    >
      {indented(text)}
    </Code>
  );
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
