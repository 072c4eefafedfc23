import { ActionIcon, Group, Stack, Text, Tooltip } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import type { Carillon } from '#client';
import { refreshAfter } from '../api/failures';
import { useViewContext } from '../api/view-context';
import { Empty } from '../page/empty';
import { LoadError } from '../page/load-error';
import { Loaded } from '../page/page';
import { wholeTime } from '../page/time';
import { FilterBar } from './filter-bar';
import { type Filter, filterValues } from './list-filters';
import { Pager } from './pager';
import { Rows, type RowsProps } from './rows';
import { SavedFilters } from './saved-filters';

export type { Column } from './rows';

const PAGE_SIZE = 50;
const NO_FILTERS: readonly Filter[] = [];

export interface ListPage<Row> {
  data: Row[];
  next_cursor: string | null;
  /** Set if a search ended early: what is older than this is on the next pages. */
  searched_until?: string | null;
}

/** The query of a page: filters by name, `limit` and `cursor`. */
export type ListQuery = Record<string, string> & { limit: number; cursor?: string };

interface ListProps<Row> extends RowsProps<Row> {
  /** The thing whose list it is, such as the id of a notification for its deliveries. */
  of?: string;
  load: (carillon: Carillon, query: ListQuery, signal: AbortSignal) => Promise<ListPage<Row>>;
  filters?: readonly Filter[];
  /** Parts of the query that the person cannot change. */
  fixed?: Record<string, string>;
  /** Shown if nothing is there and no filter is set. */
  empty: { title: string; text?: ReactNode; action?: ReactNode };
  refreshMs?: number;
}

/** A list with filters and pages. Pages follow cursors, so any number of rows may be behind it. */
export function List<Row>(props: ListProps<Row>) {
  const { name, of, load, filters = NO_FILTERS, fixed, empty, refreshMs } = props;
  const { tenantId, carillon } = useViewContext();
  const [parameters, setParameters] = useSearchParams();
  const values = filterValues(filters, parameters);
  const cursor = parameters.get('cursor');
  const query = { ...values, ...fixed, limit: PAGE_SIZE, ...(cursor && { cursor }) } as ListQuery;
  const page = useQuery({
    queryKey: [tenantId, name, ...(of === undefined ? [] : ['of', of]), query],
    queryFn: ({ signal }) => load(carillon, query, signal),
    placeholderData: keepPreviousData,
    refetchInterval: refreshAfter(refreshMs ?? false),
  });
  const isFiltered = Object.keys(values).length > 0;

  function change(changed: Record<string, string>): void {
    const next = new URLSearchParams(parameters);
    next.delete('cursor');
    for (const [filter, value] of Object.entries(changed)) {
      if (value) next.set(filter, value);
      else next.delete(filter);
    }
    setParameters(next);
  }

  return (
    <Stack gap="sm">
      <Group justify="space-between" align="flex-end" wrap="nowrap">
        <FilterBar filters={filters} values={values} change={change} />
        <Group gap="xs" ml="auto">
          {filters.length > 0 && of === undefined && (
            <SavedFilters list={name} filters={filters} values={values} change={change} />
          )}
          <Tooltip label="Refresh">
            <ActionIcon
              variant="default"
              aria-label="Refresh"
              loading={page.isFetching}
              onClick={() => void page.refetch()}
            >
              <IconRefresh size={16} aria-hidden />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Group>
      {page.error && page.data && <LoadError error={page.error} retry={() => void page.refetch()} />}
      <Loaded query={page}>
        {({ data, next_cursor, searched_until }) => (
          <>
            {data.length > 0 ? (
              <Rows {...props} rows={data} isOld={page.isPlaceholderData} />
            ) : isFiltered || cursor || next_cursor ? (
              <Empty title="Nothing matches">
                {next_cursor
                  ? 'Nothing on this page; the search continues on the next one.'
                  : 'Change or clear the filters to see more.'}
              </Empty>
            ) : (
              <Empty title={empty.title} action={empty.action}>
                {empty.text}
              </Empty>
            )}
            {searched_until && (
              <Text size="xs" c="dimmed" role="status">
                Searched back to {wholeTime(searched_until)}. Older ones are on the next page.
              </Text>
            )}
            <Pager
              isFirst={!cursor}
              next={page.isPlaceholderData ? next_cursor && undefined : next_cursor}
              rows={data.length}
            />
          </>
        )}
      </Loaded>
    </Stack>
  );
}
