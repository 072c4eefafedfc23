import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { Page } from '../../page/page';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import type { Topic } from './topic';
import { TopicForm } from './topic-form';

const columns: readonly Column<Topic>[] = [
  { id: 'key', label: 'Key', cell: ({ key }) => key },
  { id: 'name', label: 'Name', cell: ({ name }) => name },
  { id: 'subscribers', label: 'Subscribers', cell: ({ subscribers }) => subscribers.toLocaleString() },
  { id: 'updated_at', label: 'Changed', cell: ({ updated_at }) => <Time value={updated_at} /> },
];

export function TopicList() {
  const { linkTo } = useViewContext();
  const [opened, { open, close }] = useDisclosure(false);
  const mayWrite = useScope('topics:write');
  return (
    <Page
      title="Topics"
      about="Lists of recipients. A send to a topic creates one delivery for each subscriber and channel."
      actions={
        mayWrite && (
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
            Create a topic
          </Button>
        )
      }
    >
      <List<Topic>
        name="topics"
        columns={columns}
        load={(carillon, query) => carillon.topics.list({ query })}
        rowId={({ key }) => key}
        linkTo={({ key }) => linkTo(`/topics/${encodeURIComponent(key)}`)}
        empty={{ title: 'No topics yet', text: 'Create one, subscribe recipients, and send to all of them at once.' }}
      />
      <TopicForm opened={opened} close={close} />
    </Page>
  );
}
