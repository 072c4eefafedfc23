import { Route, Routes } from 'react-router';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import type { Filter } from '../../list/list-filters';
import { ConfirmButton } from '../../page/confirm-button';
import { Page } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { CHANNEL_CHOICES, channelName } from '../../words/channels';
import { type Message, MessagePage, subjectOf } from './message-page';

const LIVE_MS = 5_000;

const columns: readonly Column<Message>[] = [
  { id: 'subject', label: 'Message', cell: (message) => subjectOf(message) },
  { id: 'to', label: 'To', cell: ({ to }) => to },
  { id: 'channel', label: 'Channel', cell: ({ channel }) => channelName(channel) },
  { id: 'outcome', label: 'Simulated', cell: ({ outcome }) => inWords(outcome) },
  { id: 'created_at', label: 'Captured', cell: ({ created_at }) => <Time value={created_at} /> },
];

const filters: readonly Filter[] = [
  { name: 'to', label: 'To', kind: 'text', placeholder: 'ann@example.com' },
  { name: 'channel', label: 'Channel', kind: 'choice', choices: CHANNEL_CHOICES },
];

export default function Mailbox() {
  return (
    <Routes>
      <Route index element={<MessageList />} />
      <Route path=":id" element={<MessagePage />} />
    </Routes>
  );
}

function MessageList() {
  const { linkTo } = useViewContext();
  const mayWrite = useScope('mailbox:write');
  const empty = useAction({
    run: (carillon) => carillon.mailbox.empty(),
    done: 'The mailbox is empty',
    changes: ['mailbox'],
  });
  return (
    <Page
      title="Mailbox"
      about="Messages that the sandbox captured instead of sending them."
      actions={
        mayWrite && (
          <ConfirmButton
            title="Empty the mailbox?"
            text="All captured messages are deleted. Their deliveries stay."
            run={() => empty.mutateAsync()}
          >
            Empty the mailbox
          </ConfirmButton>
        )
      }
    >
      <List<Message>
        name="mailbox"
        columns={columns}
        load={(carillon, query) => carillon.mailbox.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/mailbox/${id}`)}
        filters={filters}
        empty={{
          title: 'No messages yet',
          text: 'A send through the sandbox account is captured here. All sends of a test key are.',
        }}
        refreshMs={LIVE_MS}
      />
    </Page>
  );
}
