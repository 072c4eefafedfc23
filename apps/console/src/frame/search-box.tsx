import { Box, Kbd, type MantineBreakpoint, TextInput } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import { useNavigate } from 'react-router';
import type { Carillon } from '#client';
import { CarillonError } from '#client';
import { useViewContext } from '../api/view-context';
import { notifyFailure } from '../page/toasts';

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const PHONE = /^\+\d[\d ]{4,}$/;

/** Leads from an id or an address to its deliveries. `/` moves the focus here. */
export function SearchBox(place: { visibleFrom?: MantineBreakpoint; hiddenFrom?: MantineBreakpoint }) {
  const { carillon, linkTo, hasView } = useViewContext();
  const [text, setText] = useState('');
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const navigate = useNavigate();
  useHotkeys([['/', () => field.current?.focus()]]);
  if (!hasView('/deliveries')) return null;

  async function search(): Promise<void> {
    const wanted = text.trim();
    if (!wanted) return;
    setBusy(true);
    try {
      const path = await pathOf(carillon, wanted);
      setText('');
      field.current?.blur();
      await navigate(linkTo(path));
    } catch (error) {
      notifyFailure(error);
    }
    setBusy(false);
  }

  return (
    <Box component="search" aria-label="Deliveries" {...place}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void search();
        }}
      >
        <TextInput
          ref={field}
          w={{ base: '100%', sm: 240, md: 360 }}
          size="xs"
          aria-label="Find anything"
          placeholder="Recipient, address or id"
          leftSection={<IconSearch size={14} aria-hidden />}
          rightSection={<Kbd size="xs">/</Kbd>}
          value={text}
          disabled={busy}
          onChange={(event) => setText(event.currentTarget.value)}
        />
      </form>
    </Box>
  );
}

/** The id of a recipient may look like any other id, so it is taken for one if nothing else has it. */
async function pathOf(carillon: Carillon, wanted: string): Promise<string> {
  const path = { id: wanted };
  if (ID.test(wanted)) {
    if (await exists(carillon.deliveries.get({ path }))) return `/deliveries/${wanted}`;
    if (await exists(carillon.notifications.get({ path }))) return `/notifications/${wanted}`;
  }
  const name = wanted.includes('@') || PHONE.test(wanted) ? 'address' : 'recipient_id';
  return `/deliveries?${name}=${encodeURIComponent(wanted)}`;
}

async function exists(read: Promise<unknown>): Promise<boolean> {
  try {
    await read;
    return true;
  } catch (error) {
    if (error instanceof CarillonError && error.status === 404) return false;
    throw error;
  }
}
