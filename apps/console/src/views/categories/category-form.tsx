import { Select, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core';
import type { CategoriesPutData } from '#client';
import { useAction } from '../../api/view-context';
import { type Form, FormDialog } from '../../page/form-dialog';
import { JsonField, parseObject, toJsonText } from '../../page/json-field';
import { CAP_CHOICES, type Category, HOLD_CHOICES } from './category';

type Body = CategoriesPutData['body'];

const EMPTY = { key: '', name: '', default_enabled: true, on_hold: 'hold', digest: '' };

interface Values extends Omit<Body, 'digest' | 'on_hold' | 'on_cap' | 'unknown_outcome'> {
  key: string;
  on_hold: string | null;
  on_cap?: string | null;
  unknown_outcome?: string | null;
  /** JSON, since a digest has a window or a time. */
  digest: string;
}

interface CategoryFormProps {
  opened: boolean;
  close: () => void;
  /** Null: a new one. */
  category: Category | null;
}

export function CategoryForm({ opened, close, category }: CategoryFormProps) {
  const save = useAction({
    run: (carillon, values: Values) => carillon.categories.put({ path: { key: values.key }, body: bodyOf(values) }),
    done: ({ name }) => `The category ${name} is saved`,
    changes: ['categories'],
    quiet: true,
  });
  return (
    <FormDialog<Values>
      title={category ? 'Edit the category' : 'Create a category'}
      confirm={category ? 'Save' : 'Create'}
      opened={opened}
      close={close}
      size="xl"
      initial={category ? { ...category, digest: toJsonText(category.digest) } : EMPTY}
      run={save.mutateAsync}
    >
      {({ values, set, faultOf }) => (
        <>
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <TextInput
              label="Key"
              description="Sends refer to the category by this key."
              placeholder="news"
              value={values.key}
              onChange={(event) => set({ key: event.currentTarget.value })}
              disabled={category !== null}
              error={faultOf('key')}
              required
            />
            <TextInput
              label="Name"
              description="Recipients see it."
              placeholder="News"
              value={values.name}
              onChange={(event) => set({ name: event.currentTarget.value })}
              error={faultOf('name')}
              required
            />
          </SimpleGrid>
          <Switches values={values} set={set} />
          <Policies values={values} set={set} faultOf={faultOf} />
          <JsonField
            label="Digest"
            description={
              'Collects the messages of a recipient and sends one: {"window_seconds": 3600, "template_id": "digest"}' +
              ', or with "at_local": "08:00". Empty: none.'
            }
            minRows={2}
            value={values.digest}
            onChange={(digest) => set({ digest })}
            error={faultOf('digest')}
          />
        </>
      )}
    </FormDialog>
  );
}

function Switches({ values, set }: Pick<Form<Values>, 'values' | 'set'>) {
  const switches = [
    ['default_enabled', 'On by default', 'Recipients who have not chosen get it'],
    ['mandatory', 'Mandatory', 'Recipients cannot switch it off, and their own caps do not apply'],
    ['bypass_quiet_hours', 'Ignores quiet hours', 'For what cannot wait until the morning'],
    ['bypass_caps', 'Ignores caps', 'It is not counted either'],
  ] as const;
  return (
    <Stack gap="xs">
      {switches.map(([name, label, description]) => (
        <Switch
          key={name}
          label={label}
          description={description}
          checked={values[name] ?? false}
          onChange={(event) => set({ [name]: event.currentTarget.checked })}
        />
      ))}
    </Stack>
  );
}

function Policies({ values, set, faultOf }: Form<Values>) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 3 }}>
      <Select
        label="In quiet hours"
        data={HOLD_CHOICES}
        value={values.on_hold}
        onChange={(on_hold) => set({ on_hold })}
        allowDeselect={false}
        error={faultOf('on_hold')}
      />
      <Select
        label="Beyond a cap"
        placeholder="as the cap says"
        data={CAP_CHOICES}
        value={values.on_cap ?? null}
        onChange={(on_cap) => set({ on_cap })}
        clearable
        clearButtonProps={{ 'aria-label': 'As the cap says' }}
        error={faultOf('on_cap')}
      />
      <Select
        label="Unknown whether sent"
        placeholder="as the channel does"
        data={[
          { value: 'resend', label: 'send again' },
          { value: 'hold', label: 'ask a person' },
        ]}
        value={values.unknown_outcome ?? null}
        onChange={(unknown_outcome) => set({ unknown_outcome })}
        clearable
        clearButtonProps={{ 'aria-label': 'As the channel does' }}
        error={faultOf('unknown_outcome')}
      />
    </SimpleGrid>
  );
}

/** The API checks the values; only what the form has is sent. */
function bodyOf(values: Values): Body {
  const { name, default_enabled, mandatory, bypass_quiet_hours, bypass_caps, on_hold, on_cap, unknown_outcome } =
    values;
  const digest = values.digest.trim() ? parseObject(values.digest) : null;
  if (typeof digest === 'string') throw new Error(`The digest ${digest}`);
  const switches = { default_enabled, mandatory, bypass_quiet_hours, bypass_caps };
  return { name, ...switches, on_hold, on_cap, unknown_outcome, digest } as Body;
}
