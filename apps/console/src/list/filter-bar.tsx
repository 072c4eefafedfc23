import { Button, Group, Select, TextInput } from '@mantine/core';
import { useDebouncedCallback, useDisclosure, useMediaQuery } from '@mantine/hooks';
import { IconFilter } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import { type Filter, instant, localTime } from './list-filters';

const TYPING_MS = 350;
/** Further filters are shown on demand, or when they are set. */
const SHOWN = 5;
/** Two beside each other on a phone. */
const WIDTH = { base: 'calc(50% - 5px)', xs: 180 };

interface FilterBarProps {
  filters: readonly Filter[];
  values: Record<string, string>;
  /** Gets the changed values; an empty one takes the filter away. */
  change: (values: Record<string, string>) => void;
}

/** On a phone the fields are behind a button, so that the list is on the first screen. */
export function FilterBar({ filters, values, change }: FilterBarProps) {
  const isPhone = useMediaQuery('(max-width: 48em)');
  const [opened, { toggle }] = useDisclosure(false);
  const [areAllShown, setAllShown] = useState(false);
  if (filters.length === 0) return null;
  const set = filters.filter(({ name }) => values[name] !== undefined).length;
  const isFiltered = set > 0;
  const shown = filters.filter(
    ({ name }, index) => isPhone || areAllShown || index < SHOWN || values[name] !== undefined,
  );
  const button = (
    <Button
      variant="default"
      size="xs"
      leftSection={<IconFilter size={14} aria-hidden />}
      aria-expanded={opened}
      onClick={toggle}
    >
      {isFiltered ? `Filters (${set})` : 'Filters'}
    </Button>
  );
  if (isPhone && !opened) return button;
  return (
    <Group align="flex-end" gap="xs" role="search" flex={1}>
      {isPhone && button}
      {shown.map((filter) => (
        <FilterField
          key={filter.name}
          filter={filter}
          value={values[filter.name] ?? ''}
          change={(value) => change({ [filter.name]: value })}
        />
      ))}
      {!isPhone && (areAllShown || shown.length < filters.length) && (
        <Button variant="subtle" size="xs" aria-expanded={areAllShown} onClick={() => setAllShown(!areAllShown)}>
          {areAllShown ? 'Fewer filters' : 'More filters'}
        </Button>
      )}
      {isFiltered && (
        <Button
          variant="subtle"
          size="xs"
          onClick={() => change(Object.fromEntries(filters.map(({ name }) => [name, ''])))}
        >
          Clear filters
        </Button>
      )}
    </Group>
  );
}

interface FieldProps {
  filter: Filter;
  value: string;
  change: (value: string) => void;
}

function FilterField({ filter, value, change }: FieldProps) {
  switch (filter.kind) {
    case 'choice':
      return (
        <Select
          label={filter.label}
          data={[...filter.choices]}
          value={value || null}
          onChange={(chosen) => change(chosen ?? '')}
          placeholder="All"
          clearable
          searchable={filter.choices.length > 10}
          w={WIDTH}
          size="xs"
        />
      );
    case 'time':
      return (
        <TextInput
          type="datetime-local"
          step={1}
          label={filter.label}
          value={localTime(value)}
          onChange={(event) => change(instant(event.currentTarget.value))}
          size="xs"
          w={{ base: '100%', xs: 'auto' }}
        />
      );
    case 'text':
      return <TextFilter filter={filter} value={value} change={change} />;
  }
}

/** Filters once typing stops. */
function TextFilter({ filter, value, change }: FieldProps) {
  const [typed, setTyped] = useState(value);
  // Typed text comes back as the value, trimmed and sometimes late. It must not replace text that was typed since.
  const expected = useRef<string[]>([]);
  const changeSoon = useDebouncedCallback((entered: string) => {
    expected.current.push(entered.trim());
    change(entered);
  }, TYPING_MS);
  useEffect(() => {
    const place = expected.current.indexOf(value);
    if (place === -1) setTyped(value);
    expected.current = place === -1 ? [] : expected.current.slice(place + 1);
  }, [value]);
  return (
    <TextInput
      label={filter.label}
      placeholder={filter.kind === 'text' ? filter.placeholder : undefined}
      value={typed}
      onChange={(event) => {
        const entered = event.currentTarget.value;
        setTyped(entered);
        changeSoon(entered);
      }}
      size="xs"
      w={WIDTH}
    />
  );
}
