import { SimpleGrid, Stack } from '@mantine/core';
import { useRead } from '../../api/view-context';
import { Page } from '../../page/page';
import { Attention } from './attention';
import { FirstNotification } from './first-notification';
import { QuotaUse } from './quota-use';
import { TenantCharts } from './tenant-charts';
import { Waiting } from './waiting';

/** The first page of a tenant: whether its notifications arrive, and what needs attention. */
export default function Overview() {
  const newest = useRead(
    ['notifications', 'newest'],
    (carillon) => carillon.notifications.list({ query: { limit: 1 } }),
    { refreshMs: 5_000 },
  );
  const isEmpty = newest.data?.data.length === 0;
  return (
    <Page title="Overview" about="Whether your notifications arrive, and what needs attention.">
      <Stack>
        {isEmpty && <FirstNotification />}
        <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="md">
          <Attention />
          {!isEmpty && <Waiting />}
          <QuotaUse />
        </SimpleGrid>
        {!isEmpty && <TenantCharts />}
      </Stack>
    </Page>
  );
}
