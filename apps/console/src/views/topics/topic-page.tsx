import { Button, Group, Stack } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconEdit } from '@tabler/icons-react';
import { useNavigate, useParams } from 'react-router';
import { useAction, useRead, useViewContext } from '../../api/view-context';
import { ConfirmButton } from '../../page/confirm-button';
import { Fields } from '../../page/fields';
import { Identifier } from '../../page/identifier';
import { Loaded, Page } from '../../page/page';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { counted } from '../../words/amounts';
import { Subscriptions } from './subscriptions';
import type { Topic } from './topic';
import { TopicForm } from './topic-form';

export function TopicPage() {
  const { key = '' } = useParams();
  const { linkTo } = useViewContext();
  const mayWrite = useScope('topics:write');
  const query = useRead(['topics', 'one', key], (carillon) => carillon.topics.get({ path: { key } }));
  return (
    <Page
      title={query.data?.name ?? key}
      parent={{ title: 'Topics', to: linkTo('/topics') }}
      about={query.data?.description}
      actions={query.data && mayWrite && <Actions topic={query.data} />}
    >
      <Loaded query={query}>
        {(topic) => (
          <Stack>
            <Fields
              fields={[
                ['Key', <Identifier key="key" value={topic.key} what="key" />],
                ['Subscribers', counted(topic.subscribers, 'recipient')],
                ['Created', <Time key="created" value={topic.created_at} />],
              ]}
            />
            <Subscriptions topic={topic.key} />
          </Stack>
        )}
      </Loaded>
    </Page>
  );
}

function Actions({ topic }: { topic: Topic }) {
  const [opened, { open, close }] = useDisclosure(false);
  const navigate = useNavigate();
  const { linkTo } = useViewContext();
  const remove = useAction({
    run: (carillon) => carillon.topics.delete({ path: { key: topic.key } }),
    done: 'The topic is deleted',
    changes: ['topics'],
    removes: ['topics', 'one', topic.key],
    onDone: () => navigate(linkTo('/topics'), { replace: true }),
  });
  return (
    <Group gap="xs">
      <Button variant="default" leftSection={<IconEdit size={16} aria-hidden />} onClick={open}>
        Edit
      </Button>
      <ConfirmButton
        title="Delete this topic?"
        text={`Its ${counted(topic.subscribers, 'subscription')} are deleted with it. This cannot be undone.`}
        typed={topic.key}
        run={() => remove.mutateAsync()}
      >
        Delete
      </ConfirmButton>
      <TopicForm opened={opened} close={close} topic={topic} />
    </Group>
  );
}
