import { useRead } from '../../api/view-context';
import { DeliveryCharts, useRange } from '../../chart/delivery-charts';
import { queryOf, RANGES } from '../../chart/ranges';

/** The deliveries of all tenants over time. */
export function PlatformCharts() {
  const [range] = useRange();
  const period = useRead(
    ['statistics', range],
    async (carillon) => {
      const query = queryOf(range, Date.now());
      return { query, statistics: await carillon.operatorStatistics.get({ query }) };
    },
    { refreshMs: RANGES[range].refreshMs, keepPrevious: true },
  );
  return <DeliveryCharts period={period} />;
}
