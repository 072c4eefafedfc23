import { useRead, useViewContext } from '../../api/view-context';
import { DeliveryCharts, useRange } from '../../chart/delivery-charts';
import { queryOf, RANGES } from '../../chart/ranges';

export function TenantCharts() {
  const { hasView } = useViewContext();
  const [range] = useRange();
  const period = useRead(
    ['statistics', range],
    async (carillon) => {
      const query = queryOf(range, Date.now());
      return { query, statistics: await carillon.statistics.get({ query }) };
    },
    { refreshMs: RANGES[range].refreshMs, keepPrevious: true },
  );
  const listOf = (states: string) => `/deliveries?state=${states}`;
  return <DeliveryCharts period={period} {...(hasView('/deliveries') && { listOf })} />;
}
