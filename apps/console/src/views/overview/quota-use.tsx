import { useRead } from '../../api/view-context';
import { QuotaBars } from '../categories/quota-use';

/** How much of the tenant's quotas is used. Nothing for a tenant without quotas. */
export function QuotaUse() {
  const { data } = useRead(['quota'], (carillon) => carillon.quota.get(), { refreshMs: 30_000 });
  return data && (data.day !== null || data.month !== null) ? <QuotaBars quota={data} /> : null;
}
