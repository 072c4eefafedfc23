import { Badge, Button, Group } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { useAction } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { ConfirmButton } from '../../page/confirm-button';
import { useScope } from '../../session/session';
import { CAP_CHOICES, type Category, HOLD_CHOICES } from './category';
import { CategoryForm } from './category-form';

const columns: readonly Column<Category>[] = [
  { id: 'key', label: 'Key', cell: ({ key }) => key },
  { id: 'name', label: 'Name', cell: ({ name }) => name },
  { id: 'default', label: 'By default', cell: ({ default_enabled }) => (default_enabled ? 'on' : 'off') },
  { id: 'rules', label: 'Rules', cell: (category) => <Rules category={category} /> },
  {
    id: 'on_hold',
    label: 'In quiet hours',
    cell: ({ on_hold }) => HOLD_CHOICES.find((c) => c.value === on_hold)?.label,
  },
  {
    id: 'on_cap',
    label: 'Beyond a cap',
    cell: ({ on_cap }) => CAP_CHOICES.find((c) => c.value === on_cap)?.label ?? 'as the cap says',
  },
];

export function CategoryList() {
  const mayWrite = useScope('categories:write');
  const [edited, setEdited] = useState<Category | null>(null);
  const [opened, { open, close }] = useDisclosure(false);
  const edit = (category: Category | null): void => {
    setEdited(category);
    open();
  };
  return (
    <>
      {mayWrite && (
        <Group justify="flex-end">
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => edit(null)}>
            Create a category
          </Button>
        </Group>
      )}
      <List<Category>
        name="categories"
        columns={columns}
        load={(carillon, query) => carillon.categories.list({ query })}
        rowId={({ key }) => key}
        {...(mayWrite && {
          rowActions: (row: Category) => (
            <>
              <Button size="xs" variant="default" onClick={() => edit(row)}>
                Edit
              </Button>
              <DeleteButton category={row} />
            </>
          ),
        })}
        empty={{
          title: 'No categories yet',
          text: 'Without categories, recipients can switch channels off, but no kinds of messages.',
        }}
      />
      <CategoryForm opened={opened} close={close} category={edited} />
    </>
  );
}

function Rules({ category }: { category: Category }) {
  const rules = [
    category.mandatory && 'mandatory',
    category.bypass_quiet_hours && 'no quiet hours',
    category.bypass_caps && 'no caps',
    category.digest && 'digest',
  ].filter((rule) => typeof rule === 'string');
  if (rules.length === 0) return '–';
  return (
    <Group gap={4}>
      {rules.map((rule) => (
        <Badge key={rule} variant="default" tt="none">
          {rule}
        </Badge>
      ))}
    </Group>
  );
}

function DeleteButton({ category: { key, name } }: { category: Category }) {
  const remove = useAction({
    run: (carillon) => carillon.categories.delete({ path: { key } }),
    done: `The category ${name} is deleted`,
    changes: ['categories'],
  });
  return (
    <ConfirmButton
      size="xs"
      title={`Delete the category ${name}?`}
      text="Recipients without a preference for it then receive its messages."
      run={() => remove.mutateAsync()}
    >
      Delete
    </ConfirmButton>
  );
}
