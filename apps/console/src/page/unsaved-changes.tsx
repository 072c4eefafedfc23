import { Alert, Button, Group, Modal, Text } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useBlocker } from 'react-router';

export interface Edit<Stored> {
  /** The stored version with which the editor began. The key of the editor is {@link version}. */
  base: Stored;
  version: string;
  /** Others have saved meanwhile. */
  isOutdated: boolean;
  setChanged: (isChanged: boolean) => void;
  /** Leaves the changes for the newest one. */
  takeNewest: () => void;
}

/**
 * Pages read again whenever their window gets the focus. While something is not saved, an editor keeps what it has,
 * also if others have saved another version meanwhile.
 */
export function useEdit<Stored>(newest: Stored, versionOf: (stored: Stored) => string): Edit<Stored> {
  const [base, setBase] = useState(newest);
  const [isChanged, setChanged] = useState(false);
  const isOther = versionOf(newest) !== versionOf(base);
  if (base !== newest && !(isOther && isChanged)) setBase(newest);
  return {
    base,
    version: versionOf(base),
    isOutdated: isOther && isChanged,
    setChanged,
    takeNewest: () => setChanged(false),
  };
}

type UnsavedEdit = Pick<Edit<unknown>, 'isOutdated' | 'setChanged' | 'takeNewest'>;

interface UnsavedChangesProps {
  isChanged: boolean;
  /** Undefined if nothing may be saved. */
  save: { isPending: boolean; isSuccess: boolean } | undefined;
  edit?: UnsavedEdit | undefined;
}

/** Asks before another page, also an earlier one, is shown while something is not saved. */
export function UnsavedChanges({ isChanged, save, edit }: UnsavedChangesProps) {
  const setChanged = edit?.setChanged;
  // Also while the save runs: if it fails, the editor must still have the changes.
  const isUnsaved = isChanged && save !== undefined && !save.isSuccess;
  const when = isUnsaved && !save.isPending;
  useEffect(() => setChanged?.(isUnsaved), [setChanged, isUnsaved]);
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) => when && currentLocation.pathname !== nextLocation.pathname,
  );
  useEffect(() => {
    if (!when) return;
    // The browser asks in its own words when its tab is closed or loaded again.
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener('beforeunload', ask);
    return () => window.removeEventListener('beforeunload', ask);
  }, [when]);
  return (
    <>
      {/* What is read at the end of a save is not a change by others. */}
      {when && edit?.isOutdated && <NewerVersion takeNewest={edit.takeNewest} />}
      <Modal
        opened={blocker.state === 'blocked'}
        onClose={() => blocker.reset?.()}
        title="Leave without saving?"
        centered
      >
        <Text size="sm">Your changes on this page are lost.</Text>
        <Group justify="flex-end" mt="md">
          <Button variant="default" onClick={() => blocker.reset?.()}>
            Stay
          </Button>
          <Button color="red" onClick={() => blocker.proceed?.()}>
            Leave
          </Button>
        </Group>
      </Modal>
    </>
  );
}

function NewerVersion({ takeNewest }: { takeNewest: () => void }) {
  return (
    <Alert color="orange" role="alert" title="A newer version has been saved" mb="md">
      <Text size="sm">You still see your own changes. If you save them, they replace that version.</Text>
      <Button size="xs" variant="default" mt="sm" onClick={takeNewest}>
        Discard my changes and show the newest
      </Button>
    </Alert>
  );
}
