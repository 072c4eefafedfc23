import { Button, Code, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconDownload } from '@tabler/icons-react';
import { useSearchParams } from 'react-router';
import type { AuditListResponse } from '#client';
import { useAction, useViewContext } from '../../api/view-context';
import { type Column, List } from '../../list/list';
import { type Filter, filterValues } from '../../list/list-filters';
import { Fields } from '../../page/fields';
import { Page } from '../../page/page';
import { wholeTime } from '../../page/time';
import { saveFile } from '../recipients/download-export';

type Entry = AuditListResponse['data'][number];

const columns: readonly Column<Entry>[] = [
  { id: 'created_at', label: 'When', cell: ({ created_at }) => wholeTime(created_at) },
  { id: 'action', label: 'Action', cell: ({ action }) => action },
  { id: 'actor', label: 'Actor', cell: ({ actor }) => actor },
  { id: 'subject', label: 'Subject', cell: ({ subject }) => subject ?? '–' },
  { id: 'source_address', label: 'Address', cell: ({ source_address }) => source_address ?? '–' },
];

const filters: readonly Filter[] = [
  { name: 'action', label: 'Action', kind: 'text', placeholder: 'tenant.changed' },
  { name: 'actor', label: 'Actor', kind: 'text', placeholder: 'operator' },
  { name: 'tenant_id', label: 'Tenant', kind: 'text', placeholder: 'Id of the tenant' },
  { name: 'created_after', label: 'After', kind: 'time' },
  { name: 'created_before', label: 'Before', kind: 'time' },
];

export default function Audit() {
  return (
    <Page
      title="Audit log"
      about="Changes of tenants, keys, accounts and rules, and who made them, newest first."
      actions={<ExportButton />}
    >
      <List<Entry>
        name="audit"
        columns={columns}
        load={(carillon, query) => carillon.audit.list({ query })}
        rowId={({ id }) => id}
        filters={filters}
        rowActions={(row) => <DetailsButton entry={row} />}
        empty={{ title: 'No entries yet', text: 'Each change by an operator or a key is listed here.' }}
      />
    </Page>
  );
}

/** All entries of the filter, as NDJSON. */
function ExportButton() {
  const { request } = useViewContext();
  const [parameters] = useSearchParams();
  const save = useAction({
    run: async () => {
      const query = new URLSearchParams(filterValues(filters, parameters));
      const answer = await request(`/internal/audit/export?${query}`);
      saveFile(await answer.blob(), 'audit.ndjson');
    },
    done: 'The audit log is downloaded',
  });
  return (
    <Button
      variant="default"
      leftSection={<IconDownload size={16} aria-hidden />}
      loading={save.isPending}
      onClick={() => save.mutate()}
    >
      Export
    </Button>
  );
}

function DetailsButton({ entry }: { entry: Entry }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={open} aria-label={`Details of ${entry.action}`}>
        Details
      </Button>
      <Modal opened={opened} onClose={close} title={entry.action} size="xl">
        <Stack>
          <Fields
            fields={[
              ['When', wholeTime(entry.created_at)],
              ['Actor', entry.actor],
              ['Subject', entry.subject],
              ['Tenant', entry.tenant_id],
              ['Address', entry.source_address],
              ['Request', entry.request_id],
            ]}
          />
          <Side title="Before" value={entry.before} />
          <Side title="After" value={entry.after} />
        </Stack>
      </Modal>
    </>
  );
}

function Side({ title, value }: { title: string; value: Entry['before'] }) {
  if (value === null) return null;
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>
        {title}
      </Text>
      <Code block tabIndex={0} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {JSON.stringify(value, null, 2)}
      </Code>
    </div>
  );
}
