import { Button, Group, Paper, SegmentedControl, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import type { PreferenceRulesGetResponse } from '#client';
import { useAction, useRead } from '../../api/view-context';
import { SaveButtons } from '../../form/save-buttons';
import { useLockedFields } from '../../form/use-locked-fields';
import { Loaded } from '../../page/page';
import { type Edit, UnsavedChanges, useEdit } from '../../page/unsaved-changes';
import { useScope } from '../../session/session';
import { RECIPIENT_CHANNEL_CHOICES } from '../../words/channels';
import { type Choice, categoriesIn, choiceOf, type RuleSet, withChoice } from './rule-choices';

type Rules = PreferenceRulesGetResponse;

export function PreferenceRulesForm() {
  const query = useRead(['preference_rules'], (carillon) => carillon.preferenceRules.get());
  return <Loaded query={query}>{(rules) => <Newest newest={rules} />}</Loaded>;
}

function Newest({ newest }: { newest: Rules }) {
  const edit = useEdit(newest, JSON.stringify);
  return <RulesForm key={edit.version} rules={edit.base} edit={edit} />;
}

function RulesForm({ rules, edit }: { rules: Rules; edit: Edit<Rules> }) {
  const [values, setValues] = useState<Rules>(rules);
  const mayWrite = useScope('categories:write');
  const save = useAction({
    run: (carillon) => carillon.preferenceRules.put({ body: values }),
    done: 'The rules are saved. They apply to deliveries that wait, too',
    changes: ['preference_rules'],
  });
  const lockedFields = useLockedFields(save.isPending);
  const isChanged = JSON.stringify(values) !== JSON.stringify(rules);
  return (
    <Stack {...lockedFields}>
      <UnsavedChanges isChanged={isChanged} save={mayWrite ? save : undefined} edit={edit} />
      <RuleSetTable
        title="Defaults"
        about="What applies while a recipient has not chosen."
        rules={values.defaults ?? {}}
        change={(defaults) => setValues({ ...values, defaults })}
        mayWrite={mayWrite}
      />
      <RuleSetTable
        title="Enforced"
        about="What applies whatever a recipient has chosen. Off always wins."
        rules={values.enforced ?? {}}
        change={(enforced) => setValues({ ...values, enforced })}
        mayWrite={mayWrite}
      />
      {mayWrite && (
        <SaveButtons
          label="Save the rules"
          isChanged={isChanged}
          isBusy={save.isPending}
          save={() => save.mutate()}
          discard={() => setValues(rules)}
        />
      )}
    </Stack>
  );
}

interface RuleSetTableProps {
  title: string;
  about: string;
  rules: RuleSet;
  change: (rules: RuleSet) => void;
  mayWrite: boolean;
}

/** One row for all categories and one for each category with a rule; one column for each channel. */
function RuleSetTable({ title, about, rules, change, mayWrite }: RuleSetTableProps) {
  const [added, setAdded] = useState<string[]>([]);
  const names = [...new Set([...categoriesIn(rules), ...added])];
  const columns = [{ value: null, label: 'Any channel' }, ...RECIPIENT_CHANNEL_CHOICES];
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h5">
        {title}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {about}
      </Text>
      <Table className="list" aria-label={title}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Category</Table.Th>
            {columns.map(({ label }) => (
              <Table.Th key={label} scope="col">
                {label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {[null, ...names].map((category) => (
            <Table.Tr key={category ?? ''}>
              <Table.Td data-label="Category">{category ?? <strong>All categories</strong>}</Table.Td>
              {columns.map(({ value: channel, label }) => (
                <Table.Td key={label} data-label={label}>
                  {(category !== null || channel !== null) && (
                    <RuleChoice
                      label={`${title}: ${category ?? 'all categories'}, ${label}`}
                      choice={choiceOf(rules, category, channel)}
                      change={(choice) => change(withChoice(rules, { category, channel, choice }))}
                      mayWrite={mayWrite}
                    />
                  )}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {mayWrite && <AddCategory add={(name) => setAdded([...added, name])} />}
    </Paper>
  );
}

interface RuleChoiceProps {
  label: string;
  choice: Choice;
  change: (choice: Choice) => void;
  mayWrite: boolean;
}

function RuleChoice({ label, choice, change, mayWrite }: RuleChoiceProps) {
  return (
    <SegmentedControl
      size="xs"
      aria-label={label}
      data={[
        { value: 'none', label: '–' },
        { value: 'on', label: 'on' },
        { value: 'off', label: 'off' },
      ]}
      value={choice}
      onChange={(value) => change(value as Choice)}
      readOnly={!mayWrite}
    />
  );
}

function AddCategory({ add }: { add: (name: string) => void }) {
  const [name, setName] = useState('');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) add(name.trim());
        setName('');
      }}
    >
      <Group align="flex-end" mt="sm" gap="xs">
        <TextInput
          label="Category with a rule of its own"
          placeholder="news"
          size="xs"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" variant="default" size="xs">
          Add the row
        </Button>
      </Group>
    </form>
  );
}
