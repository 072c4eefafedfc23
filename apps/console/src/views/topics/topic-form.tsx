import { Textarea, TextInput } from '@mantine/core';
import { useNavigate } from 'react-router';
import { useAction, useViewContext } from '../../api/view-context';
import { FormDialog } from '../../page/form-dialog';
import type { Topic } from './topic';

interface TopicFormProps {
  opened: boolean;
  close: () => void;
  /** The topic to change. */
  topic?: Topic;
}

const EMPTY = { key: '', name: '', description: '' };

export function TopicForm({ opened, close, topic }: TopicFormProps) {
  const navigate = useNavigate();
  const { linkTo } = useViewContext();
  const save = useAction({
    run: (carillon, { key, name, description }: typeof EMPTY) =>
      carillon.topics.put({ path: { key }, body: { name, description: description || null } }),
    done: ({ name }) => `The topic ${name} is saved`,
    changes: ['topics'],
    onDone: ({ key }) => topic ?? navigate(linkTo(`/topics/${encodeURIComponent(key)}`)),
    quiet: true,
  });
  return (
    <FormDialog
      title={topic ? 'Edit the topic' : 'Create a topic'}
      confirm={topic ? 'Save' : 'Create'}
      opened={opened}
      close={close}
      initial={topic ? { ...topic, description: topic.description ?? '' } : EMPTY}
      run={save.mutateAsync}
    >
      {({ values, set, faultOf }) => (
        <>
          {!topic && (
            <TextInput
              label="Key"
              description="Sends refer to the topic by this key. It cannot be changed later."
              placeholder="orders/eu"
              value={values.key}
              onChange={(event) => set({ key: event.currentTarget.value })}
              error={faultOf('key')}
              maxLength={255}
              required
              data-autofocus
            />
          )}
          <TextInput
            label="Name"
            placeholder="Orders in Europe"
            value={values.name}
            onChange={(event) => set({ name: event.currentTarget.value })}
            error={faultOf('name')}
            maxLength={100}
            required
          />
          <Textarea
            label="Description"
            value={values.description}
            onChange={(event) => set({ description: event.currentTarget.value })}
            error={faultOf('description')}
            maxLength={1000}
            autosize
            minRows={2}
          />
        </>
      )}
    </FormDialog>
  );
}
