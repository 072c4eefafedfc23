import { Anchor, Code, Paper, Stack, Tabs, Text } from '@mantine/core';
import { Link, useParams } from 'react-router';
import type { MailboxGetResponse } from '#client';
import { useRead, useViewContext } from '../../api/view-context';
import { Fields } from '../../page/fields';
import { Loaded, Page } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { channelName, channelTitle } from '../../words/channels';

export type Message = MailboxGetResponse;

const LINE_LENGTH = 80;

/** The subject or title, else the beginning of the text. */
export function subjectOf({ message, channel }: Message): string {
  const text =
    partOf(message, 'subject') ?? partOf(message, 'title') ?? partOf(message, 'text') ?? partOf(message, 'body');
  if (!text) return `${channelTitle(channel)} message`;
  return text.length > LINE_LENGTH ? `${text.slice(0, LINE_LENGTH)}…` : text;
}

function partOf(message: Message['message'], name: string): string | undefined {
  const part = message[name];
  return typeof part === 'string' && part !== '' ? part : undefined;
}

export function MessagePage() {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const mayRead = useScope('notifications:read');
  const query = useRead(['mailbox', 'one', id], (carillon) => carillon.mailbox.get({ path: { id } }));
  return (
    <Page title={query.data ? subjectOf(query.data) : 'Message'} parent={{ title: 'Mailbox', to: linkTo('/mailbox') }}>
      <Loaded query={query}>
        {(message) => (
          <Stack>
            <Fields
              fields={[
                ['To', message.to],
                ['Channel', channelName(message.channel)],
                ['Captured', <Time key="captured" value={message.created_at} />],
                ['Simulated', inWords(message.outcome)],
                [
                  'Delivery',
                  mayRead && (
                    <Anchor component={Link} to={linkTo(`/deliveries/${message.delivery_id}`)} size="sm">
                      Timeline of the delivery
                    </Anchor>
                  ),
                ],
              ]}
            />
            <Content message={message} />
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Content({ message: { message } }: { message: Message }) {
  const html = partOf(message, 'html');
  const text = partOf(message, 'text') ?? partOf(message, 'body');
  return (
    <Tabs defaultValue={html ? 'html' : text ? 'text' : 'all'} keepMounted={false}>
      <Tabs.List>
        {html && <Tabs.Tab value="html">Message</Tabs.Tab>}
        {text && <Tabs.Tab value="text">Text</Tabs.Tab>}
        <Tabs.Tab value="all">All parts</Tabs.Tab>
      </Tabs.List>
      {html && (
        <Tabs.Panel value="html" pt="md">
          <Paper withBorder bg="white">
            {/* No scripts, no forms, no navigation of this page: the message is the tenant's content. */}
            <iframe title="Message" sandbox="" srcDoc={html} style={{ width: '100%', height: 480, border: 0 }} />
          </Paper>
        </Tabs.Panel>
      )}
      {text && (
        <Tabs.Panel value="text" pt="md">
          <Text style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text}</Text>
        </Tabs.Panel>
      )}
      <Tabs.Panel value="all" pt="md">
        <Code block tabIndex={0} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {JSON.stringify(message, null, 2)}
        </Code>
      </Tabs.Panel>
    </Tabs>
  );
}
