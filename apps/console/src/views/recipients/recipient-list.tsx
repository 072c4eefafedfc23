import type { Carillon, RecipientsListResponse } from '#client';
import { CarillonError } from '#client';
import { useViewContext } from '../../api/view-context';
import { type Column, List, type ListPage, type ListQuery } from '../../list/list';
import type { Filter } from '../../list/list-filters';
import { Page } from '../../page/page';
import { Time } from '../../page/time';
import { useScope } from '../../session/session';
import { NewRecipient } from './new-recipient';
import { recipientPath } from './recipient-path';

type Recipient = RecipientsListResponse['data'][number];

const columns: readonly Column<Recipient>[] = [
  { id: 'id', label: 'Recipient', cell: ({ id }) => id },
  { id: 'email', label: 'E-mail', cell: ({ email }) => email ?? '–' },
  { id: 'phone', label: 'Phone', cell: ({ phone }) => phone ?? '–' },
  { id: 'locale', label: 'Locale', cell: ({ locale }) => locale ?? '–' },
  { id: 'updated_at', label: 'Changed', cell: ({ updated_at }) => <Time value={updated_at} /> },
];

const filters: readonly Filter[] = [
  { name: 'id', label: 'Recipient', kind: 'text', placeholder: 'The whole id' },
  { name: 'email', label: 'E-mail', kind: 'text', placeholder: 'The whole address' },
  { name: 'phone', label: 'Phone', kind: 'text', placeholder: '+15005550000' },
];

export function RecipientList() {
  const { linkTo } = useViewContext();
  const mayWrite = useScope('recipients:write');
  return (
    <Page title="Recipients" about="The people you send to, by id." actions={mayWrite && <NewRecipient />}>
      <List<Recipient>
        name="recipients"
        columns={columns}
        load={load}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(recipientPath(id))}
        filters={filters}
        empty={{
          title: 'No recipients yet',
          text: 'Your programs create them with PUT /api/v1/recipients/{id}, or in a send with "recipient".',
        }}
      />
    </Page>
  );
}

/** The filter `id` is a whole id, so it reads the one recipient. */
async function load(
  carillon: Carillon,
  { id, ...query }: ListQuery,
  signal: AbortSignal,
): Promise<ListPage<Recipient>> {
  if (!id) return await carillon.recipients.list({ query, signal });
  try {
    const found = await carillon.recipients.get({ path: { id }, signal });
    const { email = found.email, phone = found.phone } = query;
    const isFound = found.email === email && found.phone === phone;
    return { data: isFound ? [found] : [], next_cursor: null };
  } catch (error) {
    if (error instanceof CarillonError && error.code === 'not_found') return { data: [], next_cursor: null };
    throw error;
  }
}
