import { Button, Collapse, MultiSelect, SegmentedControl, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { instant, localTime } from '../../list/list-filters';
import { JsonField, parseObject } from '../../page/json-field';
import { CHANNEL_CHOICES } from '../../words/channels';
import type { Draft } from './explain-draft';

interface ExplainFormProps {
  draft: Draft;
  faults: Partial<Record<keyof Draft, string>>;
  isBusy: boolean;
  submit: (draft: Draft) => void;
}

export function ExplainForm({ draft: initial, faults, isBusy, submit }: ExplainFormProps) {
  const [draft, setDraft] = useState(initial);
  const set = <Name extends keyof Draft>(name: Name, value: Draft[Name]) => setDraft({ ...draft, [name]: value });
  const json = draft.source === 'template' ? 'payload' : 'content';
  const isObject = typeof parseObject(draft[json]) !== 'string';
  const text = (name: 'recipientId' | 'category' | 'templateId' | 'address') => ({
    value: draft[name],
    onChange: (event: { currentTarget: { value: string } }) => set(name, event.currentTarget.value),
    error: faults[name],
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isObject) submit(draft);
      }}
    >
      <Stack gap="sm">
        <TextInput
          label="Recipient"
          description="For a send to a topic, one of its subscribers"
          placeholder="user-17"
          required
          {...text('recipientId')}
        />
        <MultiSelect
          label="Channels"
          data={CHANNEL_CHOICES}
          value={draft.channels}
          onChange={(chosen) => set('channels', chosen as Draft['channels'])}
          error={faults.channels}
          required
        />
        <TextInput label="Category" placeholder="The default category" {...text('category')} />
        <SegmentedControl
          aria-label="Content"
          data={[
            { value: 'template', label: 'Template' },
            { value: 'content', label: 'Content' },
          ]}
          value={draft.source}
          onChange={(source) => set('source', source as Draft['source'])}
        />
        {draft.source === 'template' && (
          <TextInput label="Template" placeholder="welcome" required {...text('templateId')} />
        )}
        <JsonField
          label={json === 'payload' ? 'Payload (JSON)' : 'Content (JSON)'}
          value={draft[json]}
          onChange={(value) => set(json, value)}
          error={faults[json]}
        />
        <TextInput
          type="datetime-local"
          step={1}
          label="Send at"
          description="Empty: now"
          value={localTime(draft.scheduledAt)}
          onChange={(event) => set('scheduledAt', instant(event.currentTarget.value))}
          error={faults.scheduledAt}
        />
        <Collapse expanded={draft.channels.length === 1}>
          <TextInput label="Address" description="Instead of the one in the profile" {...text('address')} />
        </Collapse>
        <Button type="submit" loading={isBusy} disabled={!isObject || draft.channels.length === 0}>
          Explain
        </Button>
      </Stack>
    </form>
  );
}
