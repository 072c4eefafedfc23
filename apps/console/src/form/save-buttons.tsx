import { Button, Group } from '@mantine/core';

interface SaveButtonsProps {
  label?: string;
  isChanged: boolean;
  /** By default, whether something is changed. */
  maySave?: boolean;
  isBusy: boolean;
  /** Left out inside a `<form>`, which saves when it is submitted. */
  save?: () => void;
  discard: () => void;
}

/** Saves the changes of a page, or goes back to what is stored. */
export function SaveButtons({
  label = 'Save',
  isChanged,
  maySave = isChanged,
  isBusy,
  save,
  discard,
}: SaveButtonsProps) {
  return (
    <Group>
      <Button type={save ? 'button' : 'submit'} disabled={!maySave} loading={isBusy} onClick={save}>
        {label}
      </Button>
      {isChanged && (
        <Button variant="default" onClick={discard}>
          Discard changes
        </Button>
      )}
    </Group>
  );
}
